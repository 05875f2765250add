"""What was done to the mill and what people are owed for it: the one memory that all threads of a run share."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.chaos.schedule import Arrival


class MissedError(Exception):
    """There was nothing to break, or it could not be reached; the words say what was looked for."""


@dataclass(slots=True)
class Version:
    """One generation of a file. Exactly one job must come of it, unless ``gone`` came before its announcement."""

    number: int
    generation: int
    gone: bool = False  #: overwritten or deleted since


@dataclass(slots=True)
class File:
    """A file that arrived, and all that people did to it."""

    arrival: Arrival
    bucket: str = ""
    name: str = ""
    versions: list[Version] = field(default_factory=list)
    cancelled: bool = False  #: somebody was told that it is cancelled, and left it so
    unsure: bool = False  #: somebody never learned whether it was
    written: threading.Event = field(default_factory=threading.Event)
    busy: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Death:
    """A worker that ended without having been asked to, or with a notice."""

    at: datetime
    kind: str
    worker: str  #: ``workers.id``: the instance and the beginning of its boot id

    @property
    def instance(self) -> str:
        return self.worker.partition("/")[0]


class Book:
    """Counters and lists; every method may be called from any thread."""

    def __init__(self) -> None:
        self.planned: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.deeds: Counter[str] = Counter()
        self.problems: list[str] = []
        self.deaths: list[Death] = []
        self.halts: list[tuple[datetime, datetime]] = []  #: when nobody was meant to work
        self.files: dict[int, File] = {}
        self._lock = threading.Lock()

    def count(self, counter: Counter[str], what: str, times: int = 1) -> None:
        """Add to one of the counters."""
        with self._lock:
            counter[what] += times

    def die(self, kind: str, worker: str, at: datetime | None = None) -> None:
        """Note the death of a worker."""
        with self._lock:
            self.deaths.append(Death(at or now(), kind, worker))

    def halt(self, begin: datetime, end: datetime) -> None:
        """Note a time in which nobody was meant to work."""
        with self._lock:
            self.halts.append((begin, end))

    def problem(self, words: str) -> None:
        """Note something that must not be."""
        with self._lock:
            self.problems.append(words)


def now() -> datetime:
    """The clock of this machine, which is the database's."""
    return datetime.now(UTC)
