"""Who speaks when: diarisation error and overlap of conversations whose turns are known, speed and memory.

Thresholds were chosen on the development rows. The other rows have other readers, and the call has other people yet.
"""

import tempfile
import time
import wave
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.progress import say
from bench.speakers.words import words_right
from tests.diarisation_error import diarisation_error
from tests.overlap_found import overlap_found
from tests.speakers_media import Manner, conversation
from tests.speech_media import Turn as TrueTurn
from tests.speech_media import call
from worker.pipelines.media.pcm import Pcm
from worker.pipelines.speakers.diarisation import diarise
from worker.pipelines.speech.voice import voice_probabilities

#: The table's limit on the error of a mix and of the call.
_TARGET = "<= 8"

_DEVELOPMENT = {
    "1": ("july",),
    "2": ("july", "paola"),
    "2, b": ("armelle", "paola"),
    "3": ("july", "armelle", "paola"),
}
_MEASURED = {
    "1": ("june",),
    "2": ("allison", "carlo"),
    "2, two women": ("allison", "june"),
    "3": ("allison", "carlo", "ivrvoice"),
    "3, women": ("allison", "june", "ivrvoice"),
    "4": ("allison", "june", "carlo", "ivrvoice"),
    "5": ("allison", "june", "carlo", "ivrvoice", "austen"),
}
_MANNERS = {
    "": Manner(),
    ", telephone": Manner(telephone=True),
    ", quick turns": Manner(turn=(0.5, 4.0), pause=(0.0, 0.4)),
}
_INTERRUPTING = Manner(interrupting=0.2)
_INTERRUPTED = {name: _MEASURED[name] for name in ("2, two women", "3, women", "4")}


P = ParamSpec("P")
T = TypeVar("T")


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure errors on mixes of two to five minutes and on the call, then speed and memory on a long mix."""
    rows = list(_call_rows())
    for name, readers in _MEASURED.items():
        for manner, how in _MANNERS.items():
            if not (quick and manner):
                rows.append(_mix_row(f"{name} speakers{manner}", readers, 60 + 60 * len(readers), how, _TARGET))
    if not quick:
        rows.append(_mix_row("4 speakers, ten minutes", _MEASURED["4"], 600, Manner(), _TARGET))
    rows += [_words_row(name, quick) for name in ("3", "3, women")]
    three = _MEASURED["3"]
    rows += _interrupting_rows("3 speakers", three, 240, _TARGET)
    for name, readers in {} if quick else _INTERRUPTED.items():
        rows += _interrupting_rows(name, readers, 240, _TARGET)
    for name, readers in {} if quick else _DEVELOPMENT.items():
        rows.append(_mix_row(f"development: {name} speakers", readers, 60 + 60 * len(readers), Manner()))
    return rows + _long_rows(900 if quick else 10_800)


def _mix_row(name: str, readers: Sequence[str], seconds: float, manner: Manner, target: str = "") -> dict[str, Any]:
    say(f"speakers: {name}")
    talk = conversation(readers, seconds, seed=1, manner=manner)
    with tempfile.TemporaryDirectory() as folder:
        pcm = Pcm(talk.write(Path(folder) / "mix.pcm"))
        return _error_row(name, pcm, talk.turns, 0.25, target)


def _words_row(name: str, quick: bool) -> dict[str, Any]:
    say(f"speakers: words of {name}")
    right, count = words_right(conversation(_MEASURED[name], 60 if quick else 240, seed=1))
    return _row(
        f"words with the right speaker, {name} speakers ({right} of {count})", 100 * right / count, "%", ">= 97"
    )


def _interrupting_rows(name: str, readers: Sequence[str], seconds: float, target: str = "") -> list[dict[str, Any]]:
    say(f"speakers: {name}, interrupting")
    talk = conversation(readers, seconds, seed=1, manner=_INTERRUPTING)
    with tempfile.TemporaryDirectory() as folder:
        pcm = Pcm(talk.write(Path(folder) / "mix.pcm"))
        row = _error_row(f"{name}, interrupting", pcm, talk.turns, 0.25, target)
        return [row, *_overlap_rows(f"{name}, interrupting", pcm, talk.turns)]


def _overlap_rows(name: str, pcm: Pcm, truth: Sequence[TrueTurn]) -> list[dict[str, Any]]:
    """Measure how much overlap is found, and how much of what is found is right, without a collar."""
    found = overlap_found(truth, diarise(Clock(), pcm, voice_probabilities(pcm)))
    detail = f"of {found.true_seconds:.1f} s; {found.found_seconds:.1f} s found"
    return [
        _row(f"overlap found, {name} ({detail})", 100 * found.recall, "%"),
        _row(f"overlap that is right, {name}", 100 * found.precision, "%"),
    ]


def _call_rows() -> Iterator[dict[str, Any]]:
    say("speakers: real call")
    wav, truth = call()
    with tempfile.TemporaryDirectory() as folder, wave.open(str(wav)) as file:
        path = Path(folder) / "call.pcm"
        path.write_bytes(file.readframes(file.getnframes()))  # 16 kHz mono, 16 bits
        yield _error_row("real call", Pcm(path), truth, 0.25, _TARGET)
        yield _error_row("real call, collar 0.125 s", Pcm(path), truth, 0.125)
        yield from _overlap_rows("real call", Pcm(path), truth)


def _error_row(name: str, pcm: Pcm, truth: Sequence[TrueTurn], collar: float, target: str = "") -> dict[str, Any]:
    found = diarise(Clock(), pcm, voice_probabilities(pcm))
    error = diarisation_error(truth, found, collar)
    count = f"{len({turn.speaker for turn in found})} of {len({turn.speaker for turn in truth})} found"
    detail = f"missed {error.missed:.2%}, false {error.false_alarm:.2%}, confused {error.confusion:.2%}"
    return _row(f"DER {name} ({count}; {detail})", 100 * error.rate, "%", target)


def _long_rows(seconds: int) -> list[dict[str, Any]]:
    """Repeat ten minutes of talk until it is long enough; nothing but memory and time is measured on it."""
    say(f"speakers: {seconds / 3600:g} h")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.pcm"
        talk = conversation(_MEASURED["4"], 600, seed=2)
        once = talk.write(Path(folder) / "once.pcm").read_bytes()
        with path.open("wb") as file:
            for _ in range(-(-seconds // 600)):
                file.write(once)
        pcm = Pcm(path)
        # A process of its own: this one has had more memory already than is asked about.
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            count, clock, took, took_bytes = fresh.submit(_diarised, path, voice_probabilities(pcm)).result()
    return [
        _row(f"speakers found in {pcm.seconds / 3600:.2f} h", count, "", "4"),
        _row("time for each second of sound, 1 thread", took / pcm.seconds, "s"),
        _row("longest step", max(clock.seconds.values()), "s", "<= 15"),
        _row("steps", len(clock.seconds), ""),
        _row("memory that it took", took_bytes / 2**20, "MiB", "< 1000"),
    ]


def _diarised(path: Path, probabilities: NDArray[np.float32]) -> "tuple[int, Clock, float, int]":
    """Say how many speakers there are, how long steps and whole took, and how many more bytes were needed at once."""
    before, clock, started = _resident_bytes(), Clock(), time.monotonic()
    found = diarise(clock, Pcm(path), probabilities)
    return len({turn.speaker for turn in found}), clock, time.monotonic() - started, _resident_bytes() - before


def _resident_bytes() -> int:
    """Give the most memory that this process has ever had; ``ru_maxrss`` begins at what its parent had."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def _row(name: str, value: float, unit: str, target: str = "") -> dict[str, Any]:
    return {"group": "speakers", "name": name, "value": value, "unit": unit, "target": target}


@dataclass
class Clock:
    """A job that runs each step and remembers how long it took."""

    seconds: dict[str, float] = field(default_factory=dict)

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a step."""
        started = time.monotonic()
        value = fn(*args, **kwargs)
        self.seconds[key] = time.monotonic() - started
        return value

    def progress(self, fraction: float, stage: str = "") -> None:
        """Nobody watches."""
