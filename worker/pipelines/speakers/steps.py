"""What finding speakers asks of the job it works for."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Steps(Protocol):
    """The part of ``spotmill.Job`` that makes work resumable."""

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` once in the life of the job."""

    def progress(self, fraction: float, stage: str = "") -> None:
        """Tell how far the job is."""
