"""What a subscription asks of the messages that wait in it; ``plain_backlog`` and ``ordered_backlog`` answer."""

from collections.abc import Iterable, Sequence
from typing import Protocol


class Backlog(Protocol):
    """Messages that wait to be delivered. They are known by their ids; nothing here touches their bodies."""

    def __len__(self) -> int:
        """How many messages wait, or more, never fewer: none is handed out once this is 0."""

    def add(self, message_ids: Sequence[int], keys: Sequence[str]) -> None:
        """Append messages that were never delivered, with their ordering keys."""

    def restore(self, message_id: int, key: str, attempts: int) -> None:
        """Append a message that was delivered before the server started."""

    def take(self, now: float, taker: object) -> tuple[int, int] | None:
        """Take the message that this taker should have next, and how often it was delivered before."""

    def give_back(self, message_id: int, attempts: int, available_at: float) -> Sequence[int]:
        """Return a message that was taken, to be delivered again at that time.

        Returns the messages that must come back with it: their leases end, too.
        """

    def acknowledged(self, message_id: int) -> Sequence[int]:
        """Settle a message that was taken. Returns the messages that are thereby done, not always this one."""

    def settle_waiting(self, message_id: int) -> bool:
        """Settle a message that waits (its lease expired, or was of a former run); False if it does not."""

    def left(self, taker: object) -> None:
        """A taker went away."""

    def next_due(self) -> float | None:
        """A time before which no message that was given back becomes available."""

    def upcoming(self, count: int) -> Iterable[int]:
        """Messages that will probably be taken next, for reading ahead."""

    def forget_before(self, message_id: int) -> None:
        """Drop waiting messages older than that one."""
