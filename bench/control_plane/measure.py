"""How fast jobs become rows that say done: between the first and the last commit, by the database's own times."""

import time
from dataclasses import dataclass

from sqlalchemy import Engine, text

#: Seconds that all jobs of one side may take.
_PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Rate:
    """Jobs that were committed, and the seconds between the first and the last of them."""

    jobs: int
    seconds: float

    @property
    def per_second(self) -> float:
        return (self.jobs - 1) / self.seconds


def read(engine: Engine, counting: str) -> Rate:
    """Ask the database once: ``counting`` gives how many jobs are done, and when the first and the last were."""
    with engine.connect() as connection:
        count, first, last = connection.execute(text(counting)).one()
    return Rate(count, (last - first).total_seconds() if count else 0.0)


def watch(engine: Engine, counting: str, jobs: int) -> Rate:
    """Wait until so many jobs are done; asks seldom, so as not to be in the way.

    Raises:
        TimeoutError: they were not done in time.
    """
    deadline = time.monotonic() + _PATIENCE
    while (rate := read(engine, counting)).jobs < jobs:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{rate.jobs} of {jobs} jobs were done in {_PATIENCE} s")
        time.sleep(0.5)
    return rate
