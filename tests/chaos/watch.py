"""Reads all logs while they are written: keeps what would be cut off, and finds what only a bug would say."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PERIOD_SECONDS = 1.0
#: Events of our own that say "this must not happen".
_BUGS = ("agent.broken", "attempt.bug", "ending.refused", "pipeline.broken")
#: Events that carry a trace for good reason: a pipeline's own failure, told to whoever writes pipelines.
_TOLD = ("pipeline.failed",)
_TRACE = "Traceback (most recent call last)"
_RAISED = re.compile(
    r"^(?:\w+\.)*(\w*(?:Error|Exception|Timeout|Interrupt|Exit|Unavailable|Exceeded|Refused\w*))\b", re.MULTILINE
)
#: Where a trace ends in one of these, something was away, as the chaos wanted it; who logged it says so and goes on.
OUTAGES = re.compile(
    r"InterfaceError|OperationalError|ConnectionError|ConnectionResetError|ConnectionRefusedError|BrokenPipeError"
    r"|ConnectTimeout|ReadTimeout|TimeoutError|RemoteDisconnected|ProtocolError|MaxRetryError|NewConnectionError"
    r"|ServiceUnavailable|DeadlineExceeded|RetryError|TooManyRequests|InternalServerError|ComputeError|ChunkedEncodingError"
    r"|Cancelled|ClientDisconnect\w*|KeyboardInterrupt|SystemExit|DBAPIError|IncompleteRead|DataCorruption|Unknown"
)
#: SQLSTATE class 57P: Postgres stops or starts at this moment (pg8000 takes that for the programmer's fault).
_SHUTTING = re.compile(r"'C': '57P\d\d'")


class Watch(threading.Thread):
    """Follows the logs of one data directory; ``archive`` gets a copy of each that is never shortened."""

    def __init__(self, data_dir: Path, archive: Path) -> None:
        super().__init__(name="watch", daemon=True)
        self._data_dir = data_dir
        self._archive = archive
        self._read: dict[Path, int] = {}
        self._over = threading.Event()
        self.bugs: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        archive.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Follow them until ``finish``."""
        while not self._over.wait(PERIOD_SECONDS):
            self._look()

    def finish(self) -> None:
        """Read the rest."""
        self._over.set()
        self.join()
        self._look()

    def lines_about(self, job: str, most: int = 80) -> Iterator[str]:
        """Give the log lines that name a job, the oldest first."""
        found = []
        for file in self._archive.glob("*.log"):
            with file.open(encoding="utf-8", errors="replace") as lines:
                found += [(_time_of(line), f"{file.stem}: {line.rstrip()[:1000]}") for line in lines if job in line]
        for _, line in sorted(found)[-most:]:
            yield line

    def text(self) -> Iterator[str]:
        """Give every line that any worker wrote."""
        for file in self._archive.glob("vm-*.log"):
            with file.open(encoding="utf-8", errors="replace") as lines:
                yield from lines

    def _look(self) -> None:
        for path in self._data_dir.glob("logs/*.log"):
            self._follow(path, path.stem)
        for path in self._data_dir.glob("compute/vms/*/console.log"):
            self._follow(path, f"vm-{path.parent.name}")

    def _follow(self, path: Path, name: str) -> None:
        try:
            with path.open("rb") as file:
                size = file.seek(0, 2)
                start = self._read.get(path, 0)
                if size < start:  # it was shortened
                    start = 0
                file.seek(start)
                new = file.read(size - start)
        except OSError:
            return
        whole = new[: new.rfind(b"\n") + 1]
        self._read[path] = start + len(whole)
        if not whole:
            return
        with (self._archive / f"{name}.log").open("ab") as kept:
            kept.write(whole)
        self._judge(name, whole.decode(errors="replace"))

    def _judge(self, name: str, said: str) -> None:
        lines = said.splitlines()
        for number, line in enumerate(lines):
            try:
                fields = json.loads(line) if line.startswith("{") else {}
            except ValueError:
                fields = {}
            if not fields and "\\n" in line:  # a part of an event, whose process was killed while it wrote
                continue
            event = str(fields.get("message", "")) if isinstance(fields, dict) else ""
            if event in _BUGS:
                self._note(name, event, line)
            elif _TRACE in line and event not in _TOLD:
                trace = str(fields["exception"]) if "exception" in fields else "\n".join(_trace_at(lines, number))
                raised = _RAISED.findall(trace)
                if not raised or not (OUTAGES.fullmatch(raised[-1]) or _SHUTTING.search(trace)):
                    self._note(name, f"{event[:60]} {raised[-1] if raised else ''}", trace)

    def _note(self, name: str, words: str, example: str) -> None:
        signature = f"{'worker' if name.startswith('vm-') else name}: {words}"
        self.bugs[signature] += 1
        self.examples.setdefault(signature, example[-4000:])


def _trace_at(lines: list[str], start: int) -> Iterator[str]:
    """Give the lines of a trace that was written line by line."""
    for line in lines[start : start + 200]:
        yield line
        if not line.startswith((" ", "\t")) and _TRACE not in line and _RAISED.match(line):
            return


def _time_of(line: str) -> str:
    found = re.search(r"\d{4}-\d\d-\d\d[T ][\d:.]+", line)
    return found[0].replace(" ", "T") if found else ""
