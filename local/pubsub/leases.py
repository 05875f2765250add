"""Who holds which message of a subscription, and until when."""

import heapq
from dataclasses import dataclass
from typing import Protocol


class Holder(Protocol):
    """A stream that counts what it was sent and has not settled."""

    def released(self, size_bytes: int) -> None:
        """One of its messages was acknowledged, returned or lost."""


@dataclass(slots=True, eq=False)
class Lease:
    """One delivery of one message; ``attempt`` is 1 for the first."""

    message_id: int
    ack_id: str
    attempt: int
    deadline: float
    size_bytes: int
    holder: Holder


class Leases:
    """Leases by message. Deadlines move often and rarely pass, so the heap learns of a move only when it looks."""

    def __init__(self) -> None:
        self._held: dict[int, Lease] = {}
        self._deadlines: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._held)

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
        if lease is not None:
            lease.holder.released(lease.size_bytes)
        return lease

    def end_all(self) -> None:
        """End every lease: the backlog begins anew."""
        for message_id in list(self._held):
            self.end(message_id)
        self._deadlines.clear()

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
