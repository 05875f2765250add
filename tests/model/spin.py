"""Checking one property of the model with spin: translate, compile, search, tell the counterexample."""

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

MODEL = Path(__file__).parent / "job.pml"
#: A search that comes this deep is cut off, and counts as an error. Searches of the model end below 500.
_DEPTH = 100_000
#: Lines that spin and pan print about parts of the model that no execution ever reached.
_UNREACHED = re.compile(r"^\t(.*\.pml:\d+, state \d+, (?!\"-end-\").*)$", re.MULTILINE)


class SpinError(Exception):
    """Spin, the compiler or the search itself failed; says nothing about the model."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether ``name`` holds while at most ``trouble`` things go wrong. ``defines``: see the head of the model."""

    name: str
    trouble: int
    defines: tuple[str, ...] = ()
    holds: bool = True  #: the answer that is wanted

    @property
    def ending(self) -> bool:
        """Whether it is about executions without an end, which are searched under weak fairness."""
        return "ENDLESS" in self.defines


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer. ``story`` is the counterexample, ``unreached`` what of the model never happened."""

    check: Check
    holds: bool
    states: int
    seconds: float
    story: tuple[str, ...] = ()
    unreached: tuple[str, ...] = ()

    @property
    def as_wanted(self) -> bool:
        """Whether it is the answer that is wanted; one that holds because nothing can happen is not."""
        return self.holds == self.check.holds and not (self.check.holds and self.unreached)


def missing() -> list[str]:
    """Name the programs that are not installed."""
    return [program for program in ("spin", "gcc") if shutil.which(program) is None]


@dataclass
class Spin:
    """Answers checks, several at once if asked from several threads. Everything it makes lies in ``directory``."""

    directory: Path
    _builds: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)

    def verify(self, check: Check) -> Verdict:
        """Search all executions, or as many as it takes to find one that refutes the property.

        Raises:
            SpinError: there is no answer.
        """
        place, defines = self._build(check)
        # Each search writes its trail where it runs.
        work = place / check.name
        work.mkdir()
        shutil.copy(MODEL, work)
        search = ["-a", "-f"] if check.ending else ["-a"]
        if not check.holds and not check.ending:
            search.append("-i")  # look for the shortest counterexample
        started = time.monotonic()
        said = _call([str(place / "pan"), *search, "-N", check.name, f"-m{_DEPTH}"], work)
        seconds = time.monotonic() - started
        errors = re.search(r"errors: (\d+)", said)
        states = re.search(r"(\d+) states, stored", said)
        if errors is None or states is None or (check.holds and "max search depth too small" in said):
            raise SpinError(f"{check}: the search gave no answer:\n{said}")
        holds = errors[1] == "0"
        story = () if holds else tuple(_story(_call(["spin", "-t", *defines, MODEL.name], work)))
        unreached = tuple(_UNREACHED.findall(said.partition("unreached in claim")[0])) if holds else ()
        return Verdict(check, holds, int(states[1]), seconds, story, unreached)

    def _build(self, check: Check) -> tuple[Path, list[str]]:
        defines = [f"-D{name}" for name in (f"TROUBLE={check.trouble}", *check.defines)]
        reach = [] if check.holds or check.ending else ["-DREACH"]  # what the shortest counterexample takes
        place = self.directory / "".join([*defines, *reach]).lstrip("-")
        with self._builds.setdefault((*defines, *reach), threading.Lock()):
            if not (place / "pan").exists():
                place.mkdir()
                shutil.copy(MODEL, place)
                _call(["spin", *defines, "-a", MODEL.name], place)
                fair = "-DNFAIR=3" if check.ending else "-DNOFAIR"
                options = ["-O2", "-w", "-DVECTORSZ=256", "-DCOLLAPSE", fair, *reach]
                _call(["gcc", *options, "-o", "pan", "pan.c"], place)
        return place, defines


def _call(command: list[str], directory: Path) -> str:
    done = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    # Replaying a trail and refuting a property end with a status of their own.
    if done.returncode != 0 and command[:2] != ["spin", "-t"] and "errors: " not in done.stdout:
        raise SpinError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _story(told: str) -> Iterator[str]:
    """Yield what the model prints while spin tells a trail again: lines that are indented by process."""
    for line in told.partition("spin: trail ends")[0].splitlines():
        if "START OF CYCLE" in line:
            yield "and from here nothing happens any more, for ever"
        elif line.startswith(" ") and line.strip():
            yield line.strip()
