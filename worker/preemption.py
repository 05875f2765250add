"""How the agent learns that its VM is about to go: from the metadata server or by signal; both become a ``Notice``."""

import queue
import signal
import threading
import time
from dataclasses import dataclass
from types import FrameType

import structlog

from worker.metadata import MetadataError, MetadataServer, Value

#: Seconds that one request waits for a change. Short enough to notice a dead connection.
_WAIT_SECONDS = 60

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody takes the VM, or ends the agent. ``signal`` is None if the metadata server said so."""

    reason: str
    signal: int | None = None


class Notices:
    """Where notices arrive. A ``SimpleQueue``, as nothing else may be filled from a signal handler."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Notice] = queue.SimpleQueue()

    def listen(self) -> None:
        """Take SIGTERM and SIGINT; call it from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def watch(self, server: MetadataServer) -> None:
        """Watch the metadata server, from a thread of its own."""
        threading.Thread(target=self._watch, args=(server,), name="preemption", daemon=True).start()

    def wait(self, seconds: float | None = None) -> Notice | None:
        """Wait for the next notice; None if none comes in time."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def wait_for_signal(self) -> None:
        """Wait until somebody sends one."""
        while (notice := self.wait()) is None or notice.signal is None:
            pass

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._queue.put(Notice(f"The worker was told to end ({signal.Signals(number).name}).", number))

    def _watch(self, server: MetadataServer) -> None:
        last: Value | None = None
        while True:
            asked = time.monotonic()
            try:
                before, last = last, server.wait_for_change("instance/preempted", last, _WAIT_SECONDS)
            except MetadataError as error:
                log.warning("metadata.unreachable", error=str(error))
                time.sleep(1)
                continue
            if last.text.upper() == "TRUE":
                self._queue.put(Notice("The VM was preempted."))
                return
            if before is not None and time.monotonic() - asked < 1:  # a server that does not wait must not be hammered
                time.sleep(1)
