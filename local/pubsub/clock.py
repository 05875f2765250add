"""The server's time, which tests may move forward instead of waiting for it."""

import time


class Clock:
    """Wall time for what is stored, monotonic time for deadlines; both move together."""

    def __init__(self) -> None:
        self._ahead_seconds = 0.0
        self._last_id = 0

    def now_us(self) -> int:
        """Microseconds since 1970."""
        return time.time_ns() // 1000 + int(self._ahead_seconds * 1_000_000)

    def monotonic(self) -> float:
        """Seconds that never run backward."""
        return time.monotonic() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Move forward; whoever waits for a deadline must look again."""
        self._ahead_seconds += seconds

    def start_after(self, message_id: int) -> None:
        """Give out only identities above one that is already stored."""
        self._last_id = max(self._last_id, message_id)

    def identity(self) -> int:
        """The publish time in microseconds, raised where needed so that each is above the one before.

        A message's identity is therefore also its publish time: retention and seek compare identities.
        """
        self._last_id = max(self._last_id + 1, self.now_us())
        return self._last_id
