"""What will be done to the mill, and when: a pure function of the seed and the length of the run.

Each kind of fault, each kind of job and each habit of people draws from a random stream of its own, so that a change of
one leaves the others as they are. What the machine's timing makes of the schedule is another matter.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Way = Literal["write", "upload", "ingest"]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something is done, and how long it lasts at least and at most, in seconds."""

    every_seconds: float
    seconds: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Fault:
    """Something breaks at ``at`` seconds. ``pick`` in [0, 1) chooses among what there is to break then."""

    at: float
    kind: str
    pick: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """A file comes. ``variant`` chooses its content; ``settings`` are the pipeline's."""

    at: float
    number: int
    kind: str
    way: Way
    variant: int
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        """The name by which all of the run knows it."""
        return f"{self.kind}-{self.number:06}"


@dataclass(frozen=True, slots=True)
class Deed:
    """What a person does to the file that arrived as ``number``: overwrite, delete, cancel, cancel-retry."""

    at: float
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything, in the order of time."""

    seed: int
    seconds: float
    arrivals: tuple[Arrival, ...]
    deeds: tuple[Deed, ...]
    faults: tuple[Fault, ...]
    notices: tuple[int, ...]  #: seconds of notice that preempted VMs get, for each start of the mill in turn

    def actions(self) -> list[Arrival | Deed | Fault]:
        """All three, by time."""
        return sorted((*self.arrivals, *self.deeds, *self.faults), key=lambda action: (action.at, repr(action)))


#: Workers die, or seem to: about one in three seconds, with those that die when everything does.
WORKER_FAULTS = {
    "agent kill -9": Rate(8),
    "child kill -9": Rate(15),
    "agent stopped": Rate(30, (2, 25)),
    "child stopped": Rate(60, (1, 6)),
    "preemption": Rate(16),
    "power cut": Rate(16),
    "host crash": Rate(60),
    "VM deleted": Rate(60),
    "disk full": Rate(75, (2, 6)),
}

#: Servers are killed and started again by their supervisor.
SERVERS = ("gcs", "pubsub", "eventarc", "scheduler", "compute", "postgres", "dispatcher", "web")
SERVER_FAULTS = {f"{server} kill -9": Rate(45) for server in SERVERS} | {
    "postgres fast restart": Rate(75),
    "everything kill -9": Rate(75),
}

#: People and clocks that get in each other's way.
FLEET_FAULTS = {
    "ticks doubled": Rate(20),
    "tick stale": Rate(30),
    "ticks missing": Rate(80, (8, 20)),
    "Run by several": Rate(40),
    "pause, then resume": Rate(60, (1, 6)),
    "stop drain, then Run": Rate(60, (0.5, 8)),
    "stop now, then Run": Rate(60, (0.5, 8)),
}

#: Seconds between two files of a kind, on average.
ARRIVALS = {
    "tiny": 0.45,
    "note": 1.5,
    "image": 4.0,
    "steps": 2.0,
    "big": 12.0,
    "flaky": 10.0,
    "permanent": 15.0,
    "segfault": 45.0,
    "greedy": 60.0,
    "loop": 60.0,
    "bomb": 20.0,
    "impostor": 20.0,
    "unknown": 30.0,
    "text-as-image": 20.0,
}

#: What people do to one of so many files.
DEEDS = {"overwrite": 0.02, "delete": 0.01, "cancel": 0.015, "cancel-retry": 0.015}

#: By signed URL, by direct write, or from another bucket by an ingest message.
WAYS: tuple[tuple[Way, float], ...] = (("write", 0.6), ("upload", 0.25), ("ingest", 0.15))

#: Nothing new comes in the last part of a run, so that faults hit a queue that runs dry, too.
_LAST_SECONDS = 5.0


def plan(seed: int, seconds: float, kinds: Mapping[str, Rate]) -> Schedule:
    """Return the schedule of a run of ``seconds``; ``kinds`` are the faults that are possible there."""
    arrivals = tuple(_arrivals(seed, max(1.0, seconds - _LAST_SECONDS)))
    faults = tuple(fault for kind, rate in kinds.items() for fault in _faults(seed, seconds, kind, rate))
    notices = [0, 30, 120]
    random.Random(f"{seed}/notices").shuffle(notices)
    return Schedule(seed, seconds, arrivals, tuple(_deeds(seed, arrivals)), faults, tuple(notices))


def _faults(seed: int, seconds: float, kind: str, rate: Rate) -> Iterator[Fault]:
    """One in each of as many parts of the run as it is due; at least one, whatever the length."""
    source = random.Random(f"{seed}/fault/{kind}")
    count = max(1, round(seconds / rate.every_seconds))
    for part in range(count):
        at = (part + source.uniform(0.1, 0.9)) * seconds / count
        yield Fault(round(at, 3), kind, source.random(), round(source.uniform(*rate.seconds), 3))


def _arrivals(seed: int, seconds: float) -> Iterator[Arrival]:
    times = []
    for kind, every in ARRIVALS.items():
        source = random.Random(f"{seed}/arrivals/{kind}")
        count = max(1, round(seconds / every))
        # Some come in bursts: somebody drops a folder.
        bursts = [source.uniform(0, seconds) for _ in range(max(1, count // 40))]
        for _ in range(count):
            burst = source.random() < 0.3
            at = source.choice(bursts) + source.uniform(0, 0.5) if burst else source.uniform(0, seconds)
            times.append((round(min(at, seconds), 3), kind))
    source = random.Random(f"{seed}/files")
    for number, (at, kind) in enumerate(sorted(times)):
        [way] = source.choices([way for way, _ in WAYS], [weight for _, weight in WAYS])
        settings = _settings(source, kind)
        if settings and way == "upload":  # a form has no room for settings
            way = "write"
        yield Arrival(at, number, kind, way, source.randrange(1000), settings)


def _settings(source: random.Random, kind: str) -> dict[str, Any]:
    if kind == "steps":
        return {"steps": source.randint(2, 6), "seconds": round(source.choice((0.2, 0.5, 1.0, source.random())), 2)}
    if kind == "big":
        return {"megabytes": source.choice((1, 2, 4))}
    if kind == "flaky":
        return {"failures": source.randint(1, 3)}
    return {}


def _deeds(seed: int, arrivals: tuple[Arrival, ...]) -> Iterator[Deed]:
    source = random.Random(f"{seed}/deeds")
    for arrival in arrivals:
        chance = source.random()
        for kind, share in DEEDS.items():
            if chance < share:
                yield Deed(round(arrival.at + source.uniform(0.1, 4), 3), kind, arrival.number)
                break
            chance -= share
