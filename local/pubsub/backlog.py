"""The messages of one subscription that wait to be delivered, in the order in which they should be."""

import heapq
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Protocol


class Backlog(Protocol):
    """What waits. Messages are known by their ids; nothing here touches their bodies."""

    def __len__(self) -> int:
        """How many messages could be taken now or later, roughly."""

    def add(self, message_ids: Iterable[int], keys: Iterable[str]) -> None:
        """Append messages that were never delivered, with their ordering keys."""

    def head(self, now: float) -> int | None:
        """The message to deliver next, or None."""

    def pop(self, now: float) -> tuple[int, int]:
        """Take the message that ``head`` named; returns it and how often it was delivered before."""

    def give_back(self, message_id: int, attempts: int, available_at: float) -> None:
        """Return a message that was delivered ``attempts`` times, to be delivered again at that time."""

    def settle(self, message_id: int) -> bool:
        """Take a message out wherever it waits; False if it is certainly not here."""

    def next_due(self) -> float | None:
        """When the earliest message that was given back becomes available."""

    def upcoming(self, count: int) -> Iterable[int]:
        """Messages that will probably be taken next, for reading ahead."""

    def forget_before(self, message_id: int) -> None:
        """Drop messages older than that one."""


class PlainBacklog:
    """No order is promised: messages that come back take turns with fresh ones, so that neither starves the other."""

    def __init__(self) -> None:
        self._fresh: deque[int] = deque()
        #: Acknowledged although never delivered by this process: ack ids from before a restart.
        self._settled: set[int] = set()
        self._returned: list[tuple[float, int]] = []
        self._attempts: dict[int, int] = {}
        self._returned_turn = True

    def __len__(self) -> int:
        return max(0, len(self._fresh) - len(self._settled)) + len(self._attempts)

    def add(self, message_ids: Iterable[int], keys: Iterable[str]) -> None:  # noqa: ARG002 - keys are for order
        self._fresh.extend(message_ids)

    def head(self, now: float) -> int | None:
        returned = self._due(now)
        fresh = self._first_fresh()
        if returned is not None and (self._returned_turn or fresh is None):
            return returned
        return fresh

    def pop(self, now: float) -> tuple[int, int]:
        message_id = self.head(now)
        if message_id is None:
            raise LookupError("nothing is due")
        if self._fresh and self._fresh[0] == message_id:
            self._fresh.popleft()
            self._returned_turn = True
            return message_id, 0
        heapq.heappop(self._returned)
        self._returned_turn = False
        return message_id, self._attempts.pop(message_id)

    def give_back(self, message_id: int, attempts: int, available_at: float) -> None:
        self._attempts[message_id] = attempts
        heapq.heappush(self._returned, (available_at, message_id))

    def settle(self, message_id: int) -> bool:
        if self._attempts.pop(message_id, None) is not None:
            return True
        if self._fresh and self._fresh[0] <= message_id <= self._fresh[-1]:
            self._settled.add(message_id)
            return True
        return False

    def next_due(self) -> float | None:
        while self._returned and self._returned[0][1] not in self._attempts:
            heapq.heappop(self._returned)
        return self._returned[0][0] if self._returned else None

    def upcoming(self, count: int) -> Iterable[int]:
        return [*islice(self._fresh, count), *(message_id for _, message_id in self._returned[:count])]

    def forget_before(self, message_id: int) -> None:
        while self._fresh and self._fresh[0] < message_id:
            self._settled.discard(self._fresh.popleft())
        for old in [known for known in self._attempts if known < message_id]:
            del self._attempts[old]

    def _due(self, now: float) -> int | None:
        due_at = self.next_due()
        return self._returned[0][1] if due_at is not None and due_at <= now else None

    def _first_fresh(self) -> int | None:
        while self._fresh and self._settled and self._fresh[0] in self._settled:
            self._settled.discard(self._fresh.popleft())
        if not self._fresh:
            self._settled.clear()
            return None
        return self._fresh[0]
