"""Conversations whose turns are known, made of recordings of people who read alone.

Eight readers, all from Debian's packages (``.bench/media`` keeps them, see ``speech_media``). Thresholds were chosen on
``DEVELOPMENT`` and are measured on ``MEASURED``. Allison Smith is not quite independent: her Spanish prompts, which are
of neither, were heard while thresholds were tried.

========  ==========================  ======================================  =================
reader    package                     who                                     licence
========  ==========================  ======================================  =================
july      asterisk-prompt-es-co       July E. Jiménez, Spanish, 8 kHz         GPL-2
armelle   asterisk-prompt-fr-armelle  Armelle Desjardins, French, 8 kHz       BSD-like
paola     asterisk-prompt-it-menardi  Paola Dal Zot, Italian, 8 kHz           CC BY-SA 3.0 IT
allison   asterisk-core-sounds-en     Allison Smith, English                  CC BY-SA 3.0
june      asterisk-core-sounds-fr     June Wallack, French                    CC BY-SA 3.0
carlo     asterisk-core-sounds-it     Carlo Flora, Italian                    CC BY 3.0
ivrvoice  asterisk-core-sounds-ru     a woman of ivrvoice.ru, Russian         CC BY 3.0
austen    pocketsphinx-testdata       a LibriVox reader, English              public domain
========  ==========================  ======================================  =================

Paola Dal Zot's recordings are by her and Marco Menardi, http://www.voip.ammdomus.it, who ask to be named so.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.speech_media import Turn, _debian
from worker.pipelines.media.pcm import RATE

Sound = NDArray[np.float32]

DEVELOPMENT = ("july", "armelle", "paola")
MEASURED = ("allison", "june", "carlo", "ivrvoice", "austen")

#: Of each reader: the package, which files, and how far below the loudest a frame may be and still be speech: 35 dB, or
#: 8 dB above the noise of the recordings.
_READERS = {
    "july": ("asterisk-prompt-es-co", "es/*.gsm", 27),
    "armelle": ("asterisk-prompt-fr-armelle", "fr/*.gsm", 25),
    "paola": ("asterisk-prompt-it-menardi-wav", "it_IT_f_Menardi/*.wav", 32),
    "allison": ("asterisk-core-sounds-en-g722", "en_US_f_Allison/*.g722", 35),
    "june": ("asterisk-core-sounds-fr-g722", "fr_CA_f_June/*.g722", 35),
    "carlo": ("asterisk-core-sounds-it-g722", "it_IT_m_Carlo/*.g722", 32),
    "ivrvoice": ("asterisk-core-sounds-ru-g722", "ru_RU_f_IvrvoiceRU/*.g722", 35),
    "austen": ("pocketsphinx-testdata", "librivox/*.wav", 26),
}

#: Files with these in their names hold tones, music and shouting monkeys.
_NO_SPEECH = ("beep", "tone", "silence", "ascending", "demo-congrats", "tt-", "screaming")

#: A pause in a reader's speech that is shorter is part of it: what NIST's rules call one segment.
_PAUSE_SECONDS = 0.3

_LOUDNESS = 0.06


@dataclass(frozen=True, slots=True)
class Reading:
    """One recording of one reader, as loud as all others, and where in it there is speech (seconds)."""

    name: str
    sound: Sound
    speech: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.sound) / RATE


@dataclass(frozen=True, slots=True)
class Conversation:
    """What is heard (from -1 to 1, 16 kHz), and who speaks when in it."""

    sound: Sound
    turns: tuple[Turn, ...]

    def write(self, path: Path) -> Path:
        """Write the sound as ``Pcm`` reads it."""
        path.write_bytes((np.clip(self.sound, -1, 1) * 32767).astype("<i2").tobytes())
        return path


@dataclass(frozen=True, slots=True)
class Manner:
    """How people talk to each other: seconds, and the share of turns that begin before the one before has ended."""

    turn: tuple[float, float] = (1.0, 15.0)
    pause: tuple[float, float] = (0.1, 1.0)
    interrupting: float = 0.0
    telephone: bool = False  #: 300 to 3400 Hz, and noise at -40 dB


def conversation(readers: Sequence[str], seconds: float, seed: int, manner: Manner | None = None) -> Conversation:
    """Have readers take turns for so long; the same arguments make the same conversation, sample for sample."""
    manner = manner or Manner()
    draw = random.Random(f"{seed} {' '.join(readers)}")
    queues = {reader: _endless(reader, draw) for reader in readers}
    gains = {reader: 10 ** (draw.uniform(-4, 4) / 20) for reader in readers}
    sound = np.zeros(int((seconds + 60) * RATE), np.float32)
    turns: list[Turn] = []
    now, last = 0.5, ""
    while now < seconds:
        reader = draw.choice([other for other in readers if other != last] or list(readers))
        wanted = exp(draw.uniform(log(manner.turn[0]), log(manner.turn[1])))
        if last and len(readers) > 1:
            interrupts = draw.random() < manner.interrupting
            now += -draw.uniform(0.5, 2.0) if interrupts else draw.uniform(*manner.pause)
        begun = max(now, 0.5)
        at = begun
        while at - begun < wanted:
            reading = next(queues[reader])
            at += draw.uniform(0.1, 0.4) if at > begun else 0.0
            first = round(at * RATE)
            sound[first : first + len(reading.sound)] += gains[reader] * reading.sound
            turns += [Turn(at + start, at + end, reader) for start, end in reading.speech]
            at += reading.seconds
        now, last = max(now, at), reader
    end = max(turn.end for turn in turns) + 0.5
    heard = sound[: round(end * RATE)]
    noise = np.random.default_rng(seed).normal(0, 1, len(heard)).astype(np.float32)
    heard = _telephone(heard) + 0.01 * noise if manner.telephone else heard + 0.001 * noise
    return Conversation(heard.astype(np.float32), tuple(_without_short_pauses(turns)))


@cache
def readings(reader: str) -> tuple[Reading, ...]:
    """Give a reader's recordings of 1 to 20 seconds, in the order of their names."""
    package, pattern, depth = _READERS[reader]
    paths = sorted(path for path in _debian((package,)).rglob(pattern) if _may_hold_speech(path))
    found = (_reading(path, depth) for path in paths)
    return tuple(reading for reading in found if reading is not None)


def _without_short_pauses(turns: Sequence[Turn]) -> list[Turn]:
    """Join what one reader says with less than a pause between."""
    joined: list[Turn] = []
    newest: dict[str, int] = {}
    for turn in sorted(turns, key=lambda turn: turn.start):
        at = newest.get(turn.speaker)
        if at is not None and turn.start - joined[at].end < _PAUSE_SECONDS:
            joined[at] = Turn(joined[at].start, turn.end, turn.speaker)
        else:
            newest[turn.speaker] = len(joined)
            joined.append(turn)
    return joined


def _endless(reader: str, draw: random.Random) -> Iterator[Reading]:
    known = readings(reader)
    while True:
        yield from draw.sample(known, len(known))


def _may_hold_speech(path: Path) -> bool:
    return path.stat().st_size > 1600 and not any(part in path.stem for part in _NO_SPEECH)


def _reading(path: Path, depth_db: float) -> Reading | None:
    sound = _decoded(path)
    if not RATE <= len(sound) <= 20 * RATE:
        return None
    speech = _speech(sound, depth_db)
    if sum(end - start for start, end in speech) < 0.8:
        return None
    start, end = max(0.0, speech[0][0] - 0.05), speech[-1][1] + 0.05
    spoken = np.concatenate([sound[round(since * RATE) : round(until * RATE)] for since, until in speech])
    gain = np.float32(_LOUDNESS / np.sqrt(np.mean(spoken**2)))
    inside = tuple((since - start, until - start) for since, until in speech)
    return Reading(path.stem, gain * sound[round(start * RATE) : round(end * RATE)], inside)


def _decoded(path: Path) -> Sound:
    """Decode to 16 kHz mono; in this process, because there are hundreds of files."""
    form = "g722" if path.suffix == ".g722" else None
    with av.open(str(path), format=form) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32) / np.float32(32768)


def _speech(sound: Sound, depth_db: float) -> list[tuple[float, float]]:
    """Find where a reader speaks by energy alone, so that the truth owes nothing to what is measured."""
    count = len(sound) // 160
    power = (sound[: count * 160].reshape(count, 160) ** 2).mean(axis=1)
    level = np.convolve(10 * np.log10(power + 1e-10), np.ones(3) / 3, "same")
    loud = np.flatnonzero(level > max(np.percentile(level, 95) - depth_db, -65))
    found: list[list[float]] = []
    for frame in loud:
        if found and frame / 100 - found[-1][1] < _PAUSE_SECONDS:
            found[-1][1] = (frame + 1) / 100
        else:
            found.append([frame / 100, (frame + 1) / 100])
    return [(start, end) for start, end in found if end - start >= 0.1]


def _telephone(sound: Sound) -> Sound:
    from scipy.signal import butter, sosfilt  # noqa: PLC0415 - takes a while to load

    band = butter(4, [300, 3400], "band", fs=RATE, output="sos")
    return np.asarray(sosfilt(band, sound), np.float32)
