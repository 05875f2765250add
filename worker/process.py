"""A child process as the agent sees it: start, line, kill, and how it ended."""

import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Annotated, Any

import structlog
from pydantic import Field, TypeAdapter, ValidationError

from shared.settings import WorkerSettings
from worker.child.messages import LINE_BYTES, Limits, Ready, Said, Told, encode

#: Environment that a child keeps; everything else may be a credential or a way to Google.
_KEPT = frozenset({"PATH", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHASHSEED"})
_KEPT_PREFIXES = ("LC_", "OMP_", "VIPS_", "PYTHONDONTWRITE", "PYTHONWARNINGS")
#: An address where nothing listens, should a library look for the metadata server.
_NOWHERE = "127.0.0.1:1"
#: onnxruntime would else tell its maker of its use, where a child has a network: on a laptop (its Privacy.md).
_SILENT = {"ORT_DISABLE_TELEMETRY": "1"}
#: Lines of a child's output that one job may put into the log, and characters of each.
_LOG_LINES = 200
_LOG_CHARACTERS = 2000

_said: TypeAdapter[Said] = TypeAdapter(Annotated[Said, Field(discriminator="type")])

log = structlog.get_logger()


class ProtocolError(Exception):
    """The child said something that is no message; it is broken or hostile."""


def environment(threads: int) -> dict[str, str]:
    """Return the environment of a child: what programs need to run, and nothing that opens a door.

    ``threads`` is how many its libraries may keep busy, unless the agent's own environment says otherwise. numpy's have
    one, and nothing said to them comes in: they add up in another order then, and what a pipeline finds must depend
    neither on the size of the machine nor on who started the agent.
    """
    kept = {k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_PREFIXES)}
    closed = {"GCE_METADATA_HOST": _NOWHERE, "GCE_METADATA_IP": _NOWHERE, "NO_GCE_CHECK": "true"}
    fixed = {"OPENBLAS_NUM_THREADS": "1", "HOME": "/nonexistent", "PYTHONUNBUFFERED": "1"}
    return {"OMP_NUM_THREADS": str(threads)} | kept | closed | _SILENT | fixed


def limits(settings: WorkerSettings) -> Limits:
    """Return what a child may use; its own user only where the agent may change users."""
    user = pwd.getpwnam(settings.child_user) if settings.child_user is not None and os.getuid() == 0 else None
    return Limits(
        parent=os.getpid(),
        memory_bytes=settings.child_memory_bytes,
        file_bytes=settings.child_file_bytes,
        open_files=settings.child_open_files,
        threads=settings.child_threads or max(1, (os.cpu_count() or 1) // settings.worker_slots),
        uid=user.pw_uid if user else None,
        gid=user.pw_gid if user else None,
    )


class ChildProcess:
    """One child. Only its slot's thread talks to it; any thread may kill it."""

    def __init__(self, allowed: Limits) -> None:
        """Start the process; it loads its pipelines while the agent goes on.

        The calling thread must live as long as the agent: the kernel kills the child when that thread ends.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "worker.child", str(theirs.fileno()), allowed.encode()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                env=environment(allowed.threads),
                cwd="/",
                start_new_session=True,
            )
        self._line = ours
        self._reader = ours.makefile("rb")
        self.log: Any = log
        self._lines_left = _LOG_LINES
        self._killed = False
        threading.Thread(target=self._pass_on_output, name=f"child-{self.pid}-output", daemon=True).start()

    @property
    def pid(self) -> int:
        """The child's process id, which is also that of its process group."""
        return self._process.pid

    def begin(self, logger: Any) -> None:
        """Count the output of a new job, and log it with the job's fields."""
        self.log, self._lines_left = logger, _LOG_LINES

    def await_ready(self, seconds: float) -> Ready | None:
        """Wait until the pipelines are loaded; None if that fails or takes longer."""
        self._line.settimeout(seconds)
        try:
            said = self.hear()
        except (ProtocolError, TimeoutError):
            return None
        finally:
            self._line.settimeout(None)
        return said if isinstance(said, Ready) else None

    def tell(self, message: Told) -> bool:
        """Send a message; False if the child is gone."""
        try:
            self._line.sendall(encode(message))
        except OSError:
            return False
        return True

    def hear(self) -> Said | None:
        """Wait for the child's next message; None when it has ended.

        Raises:
            ProtocolError: the line is no message.
        """
        try:
            line = self._reader.readline(LINE_BYTES + 1)
        except ConnectionError:
            return None
        if not line:
            return None
        try:
            return _said.validate_json(line)
        except ValidationError as error:
            raise ProtocolError(f"the child said {line[:200]!r}: {error.error_count()} errors") from None

    def kill(self) -> None:
        """End the child and everything it started."""
        self._killed = True
        with suppress(ProcessLookupError):  # it has ended and was waited for
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> int:
        """Make sure that the child and all it started are gone; return its exit status (negative: a signal)."""
        if self._process.poll() is None:
            self.kill()
        with suppress(ProcessLookupError):  # a child that crashed has left its programs behind
            os.killpg(self._process.pid, signal.SIGKILL)
        status = self._process.wait()
        self._reader.close()
        self._line.close()
        return status

    def obituary(self, pipeline: str) -> str:
        """Say for people how the process ended that was running ``pipeline``. Waits for its end."""
        try:
            status = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return f"The {pipeline} pipeline hung up on its worker."
        if status >= 0:
            return f"The {pipeline} pipeline ended its process (exit status {status})."
        name = signal.Signals(-status).name
        if -status == signal.SIGKILL and not self._killed:
            return f"The {pipeline} pipeline was killed (signal 9, {name}), probably because memory ran out."
        return f"The {pipeline} pipeline crashed (signal {-status}, {name})."

    def _pass_on_output(self) -> None:
        """Log what pipelines and their libraries print; after too many lines only drain the pipe."""
        if self._process.stdout is None:
            return
        while line := self._process.stdout.readline(_LOG_CHARACTERS):
            self._lines_left -= 1
            if self._lines_left > 0:
                self.log.info("child.output", child=self.pid, line=line.decode(errors="replace").rstrip())
            elif self._lines_left == 0:
                self.log.warning("child.output_cut", child=self.pid, lines=_LOG_LINES)
        self._process.stdout.close()
