"""Jobs whose power is cut at any moment, not only after a step as ``spotmill.testing`` does it."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

from spotmill import Pipeline
from spotmill.testing import DirectoryJob, LeftError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class CutJob(DirectoryJob):
    """One attempt at a job; the steps that earlier ones stored are in ``folder``.

    Every step begun, step stored and progress told is a moment; the power is cut at moment ``cut_at``, counted from 1.
    A step that is cut off was not stored, as in a real power cut.
    """

    cut_at: int | None = None
    moments: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        shutil.rmtree(self.scratch.parent)

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        def begun() -> T:
            self._moment()
            return fn(*args, **kwargs)

        value = super().step(key, begun)
        if key in self.ran:
            self._moment()
        return value

    def progress(self, fraction: float, stage: str = "") -> None:
        assert 0 <= fraction <= 1
        super().progress(fraction, stage)
        self._moment()

    def _moment(self) -> None:
        self.moments += 1
        if self.moments == self.cut_at:
            raise LeftError


def run_through(pipeline: Pipeline, make: Callable[[int | None], CutJob], cuts: Iterable[int]) -> CutJob:
    """Run a pipeline to its end; attempt after attempt is cut off at the moments given, the last one is not.

    ``make`` returns the next attempt, given the moment at which its power is cut.
    """
    for cut in (*cuts, None):
        job = make(cut)
        if job.run(pipeline):
            return job
    raise AssertionError("the last attempt did not come to its end")
