"""Who holds which message of a subscription, and until when."""

import heapq
from collections.abc import Iterator
from typing import Protocol


class Holder(Protocol):
    """A stream that counts what it was sent and has not settled."""

    def released(self, size_bytes: int) -> None:
        """One of its messages was acknowledged, returned or lost."""


class Lease:
    """One delivery of one message."""

    __slots__ = ("ack_id", "attempt", "deadline", "holder", "message_id", "size_bytes")

    def __init__(
        self, message_id: int, ack_id: str, attempt: int, deadline: float, size_bytes: int, holder: Holder | None
    ) -> None:
        self.message_id = message_id
        self.ack_id = ack_id
        self.attempt = attempt
        self.deadline = deadline
        self.size_bytes = size_bytes
        self.holder = holder


class Leases:
    """Leases by message. Deadlines move often and rarely pass, so the heap learns of a move only when it looks."""

    def __init__(self) -> None:
        self._held: dict[int, Lease] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Lease]:
        return iter(list(self._held.values()))

    def get(self, message_id: int) -> Lease | None:
        """The lease of a message, whoever holds it."""
        return self._held.get(message_id)

    def add(self, lease: Lease) -> None:
        """Start a lease."""
        self._held[lease.message_id] = lease
        heapq.heappush(self._deadlines, (lease.deadline, lease.message_id))
        if len(self._deadlines) > 2 * len(self._held) + 1024:
            self._deadlines = [(held.deadline, held.message_id) for held in self._held.values()]
            heapq.heapify(self._deadlines)

    def move(self, lease: Lease, deadline: float) -> None:
        """Set a new deadline."""
        if deadline < lease.deadline:
            heapq.heappush(self._deadlines, (deadline, lease.message_id))
        lease.deadline = deadline

    def end(self, message_id: int) -> Lease | None:
        """End a lease and tell its holder."""
        lease = self._held.pop(message_id, None)
        if lease is not None and lease.holder is not None:
            lease.holder.released(lease.size_bytes)
        return lease

    def expired(self, now: float) -> list[Lease]:
        """End and return the leases whose deadline has passed."""
        found = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, message_id = heapq.heappop(self._deadlines)
            lease = self._held.get(message_id)
            if lease is None:
                continue
            if lease.deadline > now:
                heapq.heappush(self._deadlines, (lease.deadline, message_id))
                continue
            self.end(message_id)
            found.append(lease)
        return found

    def next_deadline(self) -> float | None:
        """A time before which no lease expires."""
        return self._deadlines[0][0] if self._deadlines else None
