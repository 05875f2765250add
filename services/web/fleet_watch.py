"""The instance group as Compute showed it a moment ago; a page never waits for Compute."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

_FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The group's target (None: not known), and why it is not known."""

    target: int | None = None
    problem: str | None = None


class FleetWatch:
    """Answers at once with the latest look, and looks again in the background when that is two seconds old."""

    def __init__(self, read: Callable[[], Seen], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        self._looking = False
        self._at = float("-inf")
        self._seen = Seen()

    def look(self) -> Seen:
        """Return the latest look."""
        with self._lock:
            if self._looking or self._clock() - self._at < _FRESH_SECONDS:
                return self._seen
            self._looking = True
            seen = self._seen
        threading.Thread(target=self.refresh, name="fleet-watch", daemon=True).start()
        return seen

    def refresh(self) -> None:
        """Ask Compute now."""
        seen = Seen(problem="The instance group of the workers cannot be read.")
        try:
            seen = self._read()
        finally:
            with self._lock:
                self._seen, self._at, self._looking = seen, self._clock(), False
