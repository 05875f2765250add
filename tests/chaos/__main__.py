"""``python -m tests.chaos --seed N --minutes M``, and ``python -m tests.chaos totals FILE…``."""

import contextlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tests.chaos.network import NETWORK_FAULTS
from tests.chaos.pace import PACES
from tests.chaos.report import record, table
from tests.chaos.schedule import FLEET_FAULTS, SERVER_FAULTS, WORKER_FAULTS, plan
from tests.chaos.story import Story

#: Set in the process that has a mount namespace of its own.
_INSIDE = "CHAOS_OWN_MOUNTS"
_DISK_BYTES = 256 * 2**20
_ENDS_ALL = ("everything kill -9", "stop now, then Run")


def _enter_own_mounts() -> None:
    """Run this command again where a disk may be mounted that nobody else sees; stay here if that is not allowed."""
    if os.environ.get(_INSIDE) or sys.platform != "linux":
        return
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-current-user", "--mount", "--keep-caps"]
    os.environ[_INSIDE] = "0"
    if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True, check=False).returncode == 0:
        os.environ[_INSIDE] = "1"
        command = [*words, sys.executable, "-m", "tests.chaos", *sys.argv[1:]]
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[Path | None]:
    """Mount a small disk for the workers' scratch files, which can be filled without harm to anybody else."""
    place = folder / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "chaos", str(place)]
    if os.environ.get(_INSIDE) != "1" or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


@click.group(invoke_without_command=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of everything that is done and broken.")
@click.option("--minutes", type=click.FloatRange(0.1), default=3.0, show_default=True, help="Length of the chaos.")
@click.option("--vms", type=click.IntRange(1, 64), default=4, show_default=True, help="Most VMs at once.")
@click.option(
    "--pace", type=click.Choice(sorted(PACES)), default="quick", show_default=True, help="Of leases and ticks."
)
@click.option("--long-job", is_flag=True, help="Let one job hold its lease for as long as the chaos lasts.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Append a record of the run to this file.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="Where everything is kept; else it is only after a failure."
)
@click.pass_context
def main(  # noqa: PLR0917 - the options of a command
    context: click.Context,
    seed: int,
    minutes: float,
    vms: int,
    pace: str,
    long_job: bool,
    json_file: Path | None,
    folder: Path | None,
) -> None:
    """Break a local mill in every way for some minutes, then check that nothing is lost, doubled or wrong."""
    if context.invoked_subcommand is not None:
        return
    _enter_own_mounts()
    logging.disable(logging.CRITICAL)  # the clients' complaints about servers that were killed on purpose
    kept = folder is not None
    folder = folder or Path(tempfile.mkdtemp(prefix=f"spotmill-chaos-{seed}-"))
    folder.mkdir(parents=True, exist_ok=True)
    with _disk(folder) as disk:
        kinds = WORKER_FAULTS | SERVER_FAULTS | FLEET_FAULTS | NETWORK_FAULTS
        if disk is None:
            click.echo("No disk of its own can be mounted here: the workers' disk is never full in this run.")
            kinds = {kind: rate for kind, rate in kinds.items() if kind != "disk full"}
        if long_job:  # what would end every job there is
            kinds = {kind: rate for kind, rate in kinds.items() if kind not in _ENDS_ALL}
        story = Story(
            plan(seed, minutes * 60, kinds), PACES[pace], folder, disk=disk, max_workers=vms, long_job=long_job
        )
        report = story.tell()
    for line in table(story, report):
        click.echo(line)
    if json_file is not None:
        with json_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record(story, report, minutes)) + "\n")
    if report.passed:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)
        return
    click.echo(f"Everything is in {folder}. Again: make chaos SEED={seed} MINUTES={minutes:g}")
    context.exit(1)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def totals(files: tuple[Path, ...]) -> None:
    """Add up the records of many runs."""
    found: list[dict[str, Any]] = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    summed: Counter[str] = Counter()
    restarts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    for entry in found:
        summed.update({key: value for key, value in entry.items() if isinstance(value, int) and key != "seed"})
        restarts.update(entry["restarts"])
        faults.update(entry["faults"])
    click.echo(f"{len(found)} runs, seeds {', '.join(str(entry['seed']) for entry in found)}")
    for name in ("jobs", "worker_deaths", "lost", "doubled", "wrong", "other", "problems"):
        click.echo(f"  {name.replace('_', ' '):<16}{summed[name]:>8}")
    click.echo("  restarts        " + ", ".join(f"{name} {n}" for name, n in sorted(restarts.items())))
    click.echo("  faults          " + ", ".join(f"{name} {n}" for name, n in sorted(faults.items())))


if __name__ == "__main__":
    main()
