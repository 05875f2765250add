"""What runs inside a local "virtual machine": one process that stands for its kernel and its systemd.

It starts the machine's one service in a session of its own, starts it again when it ends (``Restart=always``), adopts
every orphan of it, and powers off on SIGTERM: SIGTERM to the service alone, and when that has ended SIGKILL to what is
left (``KillMode=mixed``). It outlives the server that started it, as a machine outlives an outage of Google's API.

Called as ``python -c BOOTSTRAP scratch-directory program arguments…`` with stdout and stderr on the console's file.
"""

import ctypes
import os
import select
import signal
import sys
import time
from types import FrameType

from local.compute.process_tree import end_descendants, send

PR_SET_CHILD_SUBREAPER = 36
FIRST_DELAY_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 10.0
HEALTHY_SECONDS = 30.0  # a service that ran for so long starts again after the first delay


class Guest:
    """The service of one boot."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.service: int | None = None
        self.stopping = False
        self.wakeups, writer = os.pipe()
        for end in (self.wakeups, writer):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._power_off)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, _wake)  # caught, not ignored: ignoring would be inherited by the service

    def run(self) -> None:
        delay_seconds = FIRST_DELAY_SECONDS
        while not self.stopping:
            started = time.monotonic()
            self._start()
            status = self._await_service()
            end_descendants(os.getpid())
            self._reap()
            if self.stopping:
                break
            if time.monotonic() - started > HEALTHY_SECONDS:
                delay_seconds = FIRST_DELAY_SECONDS
            _console(f"the service ended with {status}; it starts again in {delay_seconds:g} s")
            self._sleep(delay_seconds)
            delay_seconds = min(2 * delay_seconds, LONGEST_DELAY_SECONDS)
        _console("powered off")

    def _start(self) -> None:
        try:
            self.service = os.posix_spawnp(
                self.command[0], self.command, os.environ, setsid=True, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ]
            )
        except OSError as error:
            _console(f"cannot start {self.command[0]}: {error.strerror}")
            return
        if self.stopping:  # asked between the check and the start
            send(self.service, signal.SIGTERM)

    def _await_service(self) -> str:
        status = "no start"
        while self.service is not None:
            select.select([self.wakeups], [], [])
            self._drain()
            status = self._reap() or status
        return status

    def _reap(self) -> str | None:
        """Bury the dead, adopted orphans too; how the service ended, if it is among them."""
        ending = None
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return ending
            if pid == 0:
                return ending
            if pid == self.service:
                self.service = None
                code = os.waitstatus_to_exitcode(status)
                ending = f"signal {-code}" if code < 0 else f"status {code}"

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not self.stopping and (left := deadline - time.monotonic()) > 0:
            select.select([self.wakeups], [], [], left)
            self._drain()
            self._reap()

    def _drain(self) -> None:
        try:
            os.read(self.wakeups, 4096)
        except BlockingIOError:
            return

    def _power_off(self, _signal: int, _frame: FrameType | None) -> None:
        asked_before, self.stopping = self.stopping, True
        if self.service is not None and not asked_before:
            send(self.service, signal.SIGTERM)


def _wake(_signal: int, _frame: FrameType | None) -> None:
    """The byte in the pipe is all that is wanted."""


def _console(line: str) -> None:
    print(f"[guest] {line}", flush=True)  # noqa: T201 - the console is where a machine speaks


def main() -> None:
    """Boot."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(*(ctypes.c_ulong(value) for value in (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)))
    scratch, *command = sys.argv[1:]
    os.chdir(scratch)
    os.environ["TMPDIR"] = scratch  # a machine has a disk of its own, which goes when it goes
    Guest(command).run()
