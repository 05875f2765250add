"""What a person reads at the end of a run, and what is kept of it for the sum of many."""

from collections.abc import Iterator
from typing import Any

from tests.chaos.story import Report, Story


def table(story: Story, report: Report) -> Iterator[str]:
    """Give the lines of the final table."""
    book, verdict = story.book, report.verdict
    yield f"Seed {story.schedule.seed}, {story.schedule.seconds:.0f} s of chaos, {report.seconds:.0f} s in all"
    yield f"{'fault':<28}{'planned':>8}{'done':>8}{'missed':>8}"
    for kind in sorted(book.planned | book.done):
        yield f"{kind:<28}{book.planned[kind] or '':>8}{book.done[kind]:>8}{book.missed[kind] or '':>8}"
    yield "servers restarted: " + ", ".join(f"{name} {times}" for name, times in sorted(book.restarts.items()))
    yield f"workers died: {len(book.deaths)}; people: " + ", ".join(f"{k} {n}" for k, n in sorted(book.deeds.items()))
    yield "jobs: " + ", ".join(f"{n} {status}" for status, n in sorted(verdict.statuses.items()))
    yield "attempts: " + ", ".join(f"{n} {outcome}" for outcome, n in sorted(verdict.outcomes.items()))
    yield "attempts that chaos failed: " + ", ".join(f"{n} {words!r}" for words, n in verdict.reasons.most_common())
    yield f"pressed Retry for {report.retried} that the chaos had failed five times"
    if (figures := report.recovery) is not None:
        yield f"power cut → running again: {figures.power_cut}"
        yield f"lease released → running again: {figures.handover}"
        yield f"notice → lease released: {figures.notice}"
        yield f"steps begun {figures.begun}, redone {figures.redone}, in {figures.interrupted} interrupted attempts"
        yield f"endings that came too late and changed nothing (fenced): {figures.fenced}"
    for name, found in (("lost", verdict.lost), ("doubled", verdict.doubled), ("wrong", verdict.wrong)):
        yield f"{name}: {len(found)}"
        yield from (f"  {words}" for words in found[:20])
    for words in (*verdict.other[:30], *report.problems[:30]):
        yield f"  {words}"
    yield "PASSED" if report.passed else f"FAILED (seed {story.schedule.seed})"


def record(story: Story, report: Report, minutes: float) -> dict[str, Any]:
    """Return what ``totals`` adds up."""
    book, verdict = story.book, report.verdict
    return {
        "seed": story.schedule.seed,
        "minutes": minutes,
        "jobs": verdict.statuses.total(),
        "worker_deaths": len(book.deaths),
        "restarts": dict(book.restarts),
        "faults": dict(book.done),
        "attempts": dict(verdict.outcomes),
        "lost": len(verdict.lost),
        "doubled": len(verdict.doubled),
        "wrong": len(verdict.wrong),
        "other": len(verdict.other),
        "problems": len(report.problems),
    }
