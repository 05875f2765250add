"""One transaction for all the requests that wait for one: the first leads, and the others get their share of it."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Place(Generic[Item, Result]):
    """One caller in the queue. ``called`` is set when it is to lead, or when its outcome is there."""

    item: Item
    called: threading.Event = field(default_factory=threading.Event)
    leads: bool = False
    outcome: Result | BaseException | None = None


class GroupCommit(Generic[Item, Result]):
    """Gathers what many threads want while one group is under way, and does it as the next group.

    A lone caller waits for nobody: nothing is ever held back in the hope that more may come. ``work`` takes the items
    of a group and returns for each its result, or the exception that its caller gets; what ``work`` raises every caller
    of the group gets.
    """

    def __init__(self, work: Callable[[Sequence[Item]], Sequence[Result | Exception]], *, most: int) -> None:
        self._work = work
        self._most = most
        self._lock = threading.Lock()
        self._waiting: list[_Place[Item, Result]] = []
        self._led = False

    def submit(self, item: Item) -> Result:
        """Have one item done and return its result; raises whatever kept it from being done."""
        place = _Place[Item, Result](item)
        with self._lock:
            self._waiting.append(place)
            if not self._led:
                self._call_next()
        place.called.wait()
        if place.leads:
            self._lead()
        if isinstance(place.outcome, BaseException):
            raise place.outcome
        return place.outcome  # type: ignore[return-value]  # every member of a group has its outcome now

    def _call_next(self) -> None:
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].called.set()

    def _lead(self) -> None:
        with self._lock:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        outcomes: Sequence[Result | BaseException]
        try:
            outcomes = self._work([place.item for place in group])
        except BaseException as error:  # noqa: BLE001 - each caller raises it, the leader too
            outcomes = [error] * len(group)
        with self._lock:
            self._call_next()
        for place, outcome in zip(group, outcomes, strict=True):
            place.outcome = outcome
            place.called.set()
