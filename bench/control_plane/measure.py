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


def watch(engine: Engine, counting: str, jobs: int) -> Rate:
    """Wait until ``counting`` (count, first, last) shows so many jobs; asks seldom, so as not to be in the way.

    Raises:
        TimeoutError: they were not done in time.
    """
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            count, first, last = connection.execute(text(counting)).one()
        if count >= jobs:
            return Rate(count, (last - first).total_seconds())
        time.sleep(0.5)
    raise TimeoutError(f"{count} of {jobs} jobs were done in {_PATIENCE} s")
