"""``make model``: prove the properties of the job's life, and that each guard is needed for them."""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import click

from tests.model.questions import GUARDS, properties, without_guards
from tests.model.spin import Check, Spin, SpinError, Verdict, missing


def _line(verdict: Verdict) -> str:
    check = verdict.check
    found = "holds" if verdict.holds else "refuted"
    if not verdict.as_wanted:
        found = found.upper() + "!"
    return (
        f"{check.name:<24} {check.trouble:>7}  {' '.join(check.defines):<24} {found:<9}"
        f"{verdict.states:>12,} {verdict.seconds:>8.1f}"
    )


def ask(checks: Sequence[Check]) -> list[Verdict]:
    """Answer all checks, as many at once as there are processors, and say so as answers come."""
    verdicts = []
    with tempfile.TemporaryDirectory(prefix="spotmill-model-") as directory, ThreadPoolExecutor(os.cpu_count()) as pool:
        spin = Spin(Path(directory))
        try:
            for done in as_completed([pool.submit(spin.verify, check) for check in checks]):
                verdicts.append(done.result())
                click.echo(f"{_line(verdicts[-1])}   {len(verdicts)} of {len(checks)}", err=True)
        except SpinError:
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(verdicts, key=lambda verdict: checks.index(verdict.check))


@click.command()
@click.option("--safety", default=3, show_default=True, help="Things that may go wrong while nothing bad may happen.")
@click.option("--ending", default=2, show_default=True, help="Things that may go wrong while every job must end.")
@click.option("--tell", type=click.Choice(list(GUARDS)), help="Only tell what happens without this guard.")
def main(safety: int, ending: int, tell: str | None) -> None:
    """Check the model of a job's life with spin."""
    if lacking := missing():
        raise click.ClickException(
            f"Install {' and '.join(lacking)} (Debian: sudo apt-get install spin gcc libc6-dev)."
        )
    if tell is not None:
        for verdict in ask(list(without_guards([tell]))):
            click.echo(f"\n{verdict.check.name} without {tell}:")
            for number, step in enumerate(verdict.story, 1):
                click.echo(f"{number:>3}. {step}")
        return
    started = time.monotonic()
    verdicts = ask([*properties(safety, ending), *without_guards()])
    click.echo(f"\n{'property':<24} {'trouble':>7}  {'variant':<24} {'found':<9}{'states':>12} {'seconds':>8}")
    for verdict in verdicts:
        click.echo(_line(verdict))
    wrong = [verdict for verdict in verdicts if not verdict.as_wanted]
    for verdict in wrong:
        click.echo(f"\n{verdict.check.name} with {' '.join(verdict.check.defines) or 'everything in place'}:", err=True)
        for step in (*verdict.story, *(f"never happens: {place}" for place in verdict.unreached)):
            click.echo(f"  {step}", err=True)
    click.echo(f"\n{len(verdicts) - len(wrong)} of {len(verdicts)} as wanted, {time.monotonic() - started:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
