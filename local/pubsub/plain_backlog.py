"""Waiting messages of a subscription without order."""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice


class PlainBacklog:
    """No order is promised: messages that come back take turns with fresh ones, so that neither starves the other."""

    def __init__(self) -> None:
        self._fresh: deque[int] = deque()
        #: Acknowledged although never delivered by this process: with ack ids from before a restart.
        self._settled: set[int] = set()
        #: (available at, id); an entry whose id is not in ``_attempts`` was settled meanwhile.
        self._returned: list[tuple[float, int]] = []
        self._attempts: dict[int, int] = {}
        self._returned_turn = True

    def __len__(self) -> int:
        # Never too few, or the last ones would not be looked for: what is in ``_settled`` may have been taken long ago.
        return len(self._fresh) + len(self._attempts)

    def add(self, message_ids: Sequence[int], keys: Sequence[str]) -> None:  # noqa: ARG002 - keys are for order
        self._fresh.extend(message_ids)

    def restore(self, message_id: int, key: str, attempts: int) -> None:  # noqa: ARG002 - keys are for order
        if attempts:
            self.give_back(message_id, attempts, 0.0)
        else:
            self._fresh.append(message_id)

    def take(self, now: float, taker: object) -> tuple[int, int] | None:  # noqa: ARG002 - any taker is as good
        first = self._take_returned(now) if self._returned_turn else self._take_fresh()
        if first is None:
            return self._take_fresh() if self._returned_turn else self._take_returned(now)
        self._returned_turn = not self._returned_turn
        return first

    def give_back(self, message_id: int, attempts: int, available_at: float) -> Sequence[int]:
        self._attempts[message_id] = attempts
        heapq.heappush(self._returned, (available_at, message_id))
        return ()

    def acknowledged(self, message_id: int) -> Sequence[int]:
        return (message_id,)

    def settle_waiting(self, message_id: int) -> bool:
        if self._attempts.pop(message_id, None) is not None:
            return True
        if self._fresh and self._fresh[0] <= message_id <= self._fresh[-1]:
            self._settled.add(message_id)
            return True
        return False

    def left(self, taker: object) -> None:
        """Takers are not remembered."""

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

    def _take_returned(self, now: float) -> tuple[int, int] | None:
        due = self.next_due()
        if due is None or due > now:
            return None
        _, message_id = heapq.heappop(self._returned)
        return message_id, self._attempts.pop(message_id)

    def _take_fresh(self) -> tuple[int, int] | None:
        while self._fresh:
            message_id = self._fresh.popleft()
            if message_id not in self._settled:
                return message_id, 0
            self._settled.discard(message_id)
        self._settled.clear()
        return None
