"""Waiting messages of a subscription with message ordering (https://cloud.google.com/pubsub/docs/ordering).

Messages of one key go to one taker at a time, in the order of their publishing; as long as it holds some of them, the
next ones go only to it. When one comes back, those after it come back too, even those it has acknowledged: an
acknowledgement counts when all messages before it are done. Messages without a key have no order.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from local.pubsub.plain_backlog import PlainBacklog


class _Key:
    __slots__ = ("attempts", "available_at", "holder", "name", "queue", "taken", "waiting")

    def __init__(self, name: str) -> None:
        self.name = name
        self.waiting: deque[int] = deque()
        #: Taken and not done, in order; True once acknowledged.
        self.taken: dict[int, bool] = {}
        self.attempts: dict[int, int] = {}
        self.holder: object | None = None
        self.available_at = 0.0
        #: Where the key stands in line; entries left behind in other queues are skipped.
        self.queue: deque[_Key] | None = None


class OrderedBacklog:
    """Queues of keys: those that anyone may take from, those bound to a taker, and those that wait for their time."""

    def __init__(self) -> None:
        self._plain = PlainBacklog()
        self._keys: dict[str, _Key] = {}
        self._key_of: dict[int, _Key] = {}
        self._free: deque[_Key] = deque()
        self._bound: dict[object, deque[_Key]] = {}
        self._delayed: list[tuple[float, str]] = []
        self._plain_turn = True

    def __len__(self) -> int:
        return len(self._plain) + len(self._key_of)

    def add(self, message_ids: Sequence[int], keys: Sequence[str]) -> None:
        for message_id, name in zip(message_ids, keys, strict=True):
            self.restore(message_id, name, 0)

    def restore(self, message_id: int, key: str, attempts: int) -> None:
        if not key:
            self._plain.restore(message_id, key, attempts)
            return
        state = self._keys.get(key)
        if state is None:
            state = self._keys[key] = _Key(key)
        if attempts:
            state.attempts[message_id] = attempts
        state.waiting.append(message_id)
        self._key_of[message_id] = state
        self._enqueue(state)

    def take(self, now: float, taker: object) -> tuple[int, int] | None:
        self._plain_turn = not self._plain_turn
        if self._plain_turn:
            return self._plain.take(now, taker) or self._take_ordered(now, taker)
        return self._take_ordered(now, taker) or self._plain.take(now, taker)

    def give_back(self, message_id: int, attempts: int, available_at: float) -> Sequence[int]:
        key = self._key_of.get(message_id)
        if key is None:
            return self._plain.give_back(message_id, attempts, available_at)
        if message_id not in key.taken:
            return ()  # it came back already, with a message before it
        taken = list(key.taken)
        back = taken[taken.index(message_id) :]
        for returned in reversed(back):
            del key.taken[returned]
            key.waiting.appendleft(returned)
        key.attempts[message_id] = attempts
        key.available_at = max(key.available_at, available_at)
        if not key.taken:
            key.holder = None
        self._enqueue(key)
        return back[1:]

    def acknowledged(self, message_id: int) -> Sequence[int]:
        key = self._key_of.get(message_id)
        if key is None:
            return (message_id,)
        if message_id not in key.taken:
            return ()
        key.taken[message_id] = True
        done: list[int] = []
        for taken, acknowledged in key.taken.items():
            if not acknowledged:
                break
            done.append(taken)
        for settled in done:
            del key.taken[settled], self._key_of[settled]
            key.attempts.pop(settled, None)
        if not key.taken:
            key.holder = None
            if key.waiting:
                self._enqueue(key)
            else:
                self._keys.pop(key.name, None)
        return done

    def settle_waiting(self, message_id: int) -> bool:
        """Out of its turn no ordered message is settled; it is delivered again."""
        return message_id not in self._key_of and self._plain.settle_waiting(message_id)

    def left(self, taker: object) -> None:
        self._bound.pop(taker, None)

    def next_due(self) -> float | None:
        times = [self._delayed[0][0]] if self._delayed else []
        plain = self._plain.next_due()
        return min([*times, plain]) if plain is not None else min(times, default=None)

    def upcoming(self, count: int) -> Iterable[int]:
        ordered = [message_id for key in islice(self._free, 16) for message_id in islice(key.waiting, count // 16)]
        return [*self._plain.upcoming(count), *ordered]

    def forget_before(self, message_id: int) -> None:
        self._plain.forget_before(message_id)
        for key in list(self._keys.values()):
            while key.waiting and key.waiting[0] < message_id:
                old = key.waiting.popleft()
                del self._key_of[old]
                key.attempts.pop(old, None)
            if not key.waiting and not key.taken:
                del self._keys[key.name]

    def _take_ordered(self, now: float, taker: object) -> tuple[int, int] | None:
        while self._delayed and self._delayed[0][0] <= now:
            _, name = heapq.heappop(self._delayed)
            if name in self._keys:
                self._enqueue(self._keys[name], now)
        for queue in (self._bound.get(taker), self._free):
            while queue:
                key = queue.popleft()
                if key.queue is not queue:
                    continue
                key.queue = None
                if key.available_at > now:
                    self._enqueue(key, now)
                elif key.waiting:
                    return self._take_from(key, now, taker)
        return None

    def _take_from(self, key: _Key, now: float, taker: object) -> tuple[int, int]:
        message_id = key.waiting.popleft()
        attempts = key.attempts.get(message_id, 0)
        key.attempts[message_id] = attempts + 1
        key.taken[message_id] = False
        key.holder = taker
        self._bound.setdefault(taker, deque())
        # To the end of the line, so that one busy key does not keep the others waiting.
        self._enqueue(key, now)
        return message_id, attempts

    def _enqueue(self, key: _Key, now: float = 0.0) -> None:
        """Put a key where it will be found: once only, and only if it has something to give."""
        if not key.waiting:
            return
        if key.available_at > now:
            heapq.heappush(self._delayed, (key.available_at, key.name))
            return
        # A holder that went away has no queue: the key waits until its leases end.
        queue = self._free if key.holder is None else self._bound.get(key.holder)
        if queue is not None and key.queue is not queue:
            queue.append(key)
            key.queue = queue
