"""How long the queue takes and how many VMs to suggest: pure functions of what finished lately."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from services.web.shapes import Estimate

#: A VM that works for less than this is hardly worth starting.
_WORTH_STARTING_SECONDS = 120
#: With two, the queue goes on while one is taken away.
_FEW = 2


@dataclass(frozen=True, slots=True)
class Outlook:
    """Jobs of one pipeline among the next in the queue, and how long its jobs ran lately (None: nobody knows)."""

    pipeline: str
    queued: int
    median_seconds: float | None


def work_seconds(jobs: int, outlook: Sequence[Outlook]) -> float | None:
    """Return how long one slot would need for ``jobs``, if the whole queue is like its beginning.

    A pipeline that nothing is known about is taken for the mean of the others; None if no pipeline is known.
    """
    known = [(o.queued, o.median_seconds) for o in outlook if o.median_seconds is not None]
    sampled = sum(queued for queued, _ in known)
    if not sampled:
        return None
    return jobs * sum(queued * seconds for queued, seconds in known) / sampled


def suggested_workers(jobs: int, work: float | None, *, slots: int, max_workers: int) -> int:
    """Return as many VMs as have something worth starting for, at least two if there is work for two."""
    busy = math.ceil(jobs / slots)
    worth = busy if work is None else max(_FEW, math.ceil(work / (slots * _WORTH_STARTING_SECONDS)))
    return max(1, min(busy, worth, max_workers))


def estimate(
    jobs: int,
    outlook: Sequence[Outlook],
    *,
    workers: int | None,
    slots: int,
    max_workers: int,
    vm_hourly_usd: float | None,
) -> Estimate:
    """Judge what ``jobs`` open jobs take with ``workers`` VMs (None: with the suggested number).

    No time is told while there are jobs of a pipeline that nothing is known about: a film among photographs would make
    a lie of any.
    """
    work = work_seconds(jobs, outlook)
    suggested = suggested_workers(jobs, work, slots=slots, max_workers=max_workers)
    if work is None or any(one.median_seconds is None for one in outlook):
        return Estimate(seconds=None, workers_suggested=suggested, cost_usd=None)
    at_once = workers or suggested
    seconds = work / (at_once * slots)
    cost = None if vm_hourly_usd is None else seconds * at_once / 3600 * vm_hourly_usd
    return Estimate(
        seconds=round(seconds, 1),
        workers_suggested=suggested,
        cost_usd=None if cost is None else round(cost, 4),
    )
