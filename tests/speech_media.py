"""Recordings of real people with what they say, fetched once and kept below ``.bench/media`` (ignored by git).

* ``asterisk-core-sounds-en-g722`` with the texts of ``asterisk-core-sounds-en`` (Debian): Allison Smith's prompts,
  CC BY-SA 3.0.
* ``pocketsphinx-testdata`` (Debian): a LibriVox reader (public domain) and an American who names playing cards, BSD.
* ``sample.wav`` in the wheel of ``pyannote-audio`` (MIT): half a minute of a telephone call, with its turns.

Where there is no apt-get, or no network, tests that ask for them are skipped and say so.
"""

import fcntl
import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import wave
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE

MEDIA = Path(__file__).parents[1] / ".bench" / "media"

_PROMPTS = ("asterisk-core-sounds-en", "asterisk-core-sounds-en-g722")
_READINGS = ("pocketsphinx-testdata",)


@dataclass(frozen=True, slots=True)
class Saying:
    """A recording of one person, and what is said in it."""

    name: str
    path: Path  #: ``.g722`` without a header, or ``.wav``
    text: str

    def sound(self) -> NDArray[np.int16]:
        """Decode to 16 kHz mono."""
        given = ("-f", "g722") if self.path.suffix == ".g722" else ()
        wanted = ("-f", "s16le", "-ac", "1", "-ar", str(RATE), "-")
        command = [get_ffmpeg_exe(), "-v", "error", *given, "-i", str(self.path), *wanted]
        return np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, "<i2")


@dataclass(frozen=True, slots=True)
class Turn:
    """When somebody speaks, in seconds."""

    start: float
    end: float
    speaker: str


def prompts() -> list[Saying]:
    """Give all prompts of the telephone system: sentences, but also letters, digits, names and tones."""
    folder = _debian(_PROMPTS)
    sounds = folder / "usr/share/asterisk/sounds/en_US_f_Allison"
    listing = gzip.decompress((folder / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz").read_bytes())
    named = (re.fullmatch(r"([\w./-]+): *(.*?) *", line) for line in listing.decode().splitlines())
    texts = {match[1]: match[2] for match in named if match}
    return [
        Saying(name, sounds / f"{name}.g722", text)
        for name, text in sorted(texts.items())
        if (sounds / f"{name}.g722").exists()
    ]


def sentences() -> list[Saying]:
    """Give the prompts that are sentences: what a person would say to another, written as it is spoken.

    Chosen by their text alone: at least four words of two letters or more; no letters, digits, phonetic names, silences
    (they have folders of their own); no tones and remarks in brackets; no ``...``, which marks half a sentence, and no
    signs, because ``#`` is read as "pound", "pound sign" or "hash".
    """
    return [
        saying
        for saying in prompts()
        if "/" not in saying.name.replace("dictate/", "").replace("followme/", "")
        and len(re.findall(r"[A-Za-z][A-Za-z'-]+", saying.text)) >= 4
        and not re.search(r"[\[\]()<>#*@/]|\.\.\.", saying.text)
    ]


def readings() -> list[Saying]:
    """Give the sentences of a novel, read by a man who reads well."""
    return _sphinx("librivox", "transcription")


def cards() -> list[Saying]:
    """Give hands of cards, named by a man who speaks fast into a cheap microphone."""
    return _sphinx("cards", "cards.transcription")


def call() -> tuple[Path, list[Turn]]:
    """Give the recording of a telephone call (a ``.wav``) and who speaks when in it."""

    def fetch(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "pyannote-audio"]
        _run(pip, folder)
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            for kind in ("wav", "rttm"):
                (folder / f"sample.{kind}").write_bytes(wheel.read(f"pyannote/audio/sample/sample.{kind}"))

    folder = _fetched("pyannote-audio", fetch)
    fields = [line.split() for line in (folder / "sample.rttm").read_text().splitlines() if line]
    turns = [Turn(float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in fields]
    return folder / "sample.wav", turns


def joined(sounds: Sequence[NDArray[np.int16]], pauses: Sequence[float]) -> NDArray[np.int16]:
    """Put recordings one after the other, each with so many seconds of silence behind it (the pauses go round)."""
    parts: list[NDArray[np.int16]] = []
    for number, sound in enumerate(sounds):
        parts += [sound, np.zeros(round(pauses[number % len(pauses)] * RATE), np.int16)]
    return np.concatenate(parts)


def write_wav(path: Path, sound: NDArray[np.int16]) -> Path:
    """Write 16 kHz mono as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.astype("<i2").tobytes())
    return path


def _sphinx(folder: str, transcription: str) -> list[Saying]:
    data = _debian(_READINGS) / "usr/share/pocketsphinx/test/data" / folder
    lines = (data / transcription).read_text().splitlines()
    found = [match for line in lines if (match := re.fullmatch(r"<s> (.*?) *</s> \((.*)\)", line))]
    return [Saying(match[2], data / f"{match[2]}.wav", match[1]) for match in found]


def _debian(packages: tuple[str, ...]) -> Path:
    """Unpack packages into a folder, without installing anything, as any user may."""

    def fetch(folder: Path) -> None:
        if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
            pytest.skip("no apt-get: the recordings come from Debian")
        _run(["apt-get", "download", *packages], folder)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "--extract", str(package), str(folder)], folder)
            package.unlink()

    return _fetched("+".join(packages), fetch)


def _fetched(name: str, fetch: Callable[[Path], None]) -> Path:
    """Have ``fetch`` fill a folder, once and for all; several processes may ask at the same time."""
    with _locked(MEDIA / f"{name}.lock"):
        target = MEDIA / name
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=MEDIA) as folder:
                filled = Path(folder) / "filled"
                filled.mkdir()
                fetch(filled)
                filled.rename(target)
        return target


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=240)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        pytest.skip(f"{command[0]} could not fetch the recordings: {said[-1] if said else done.returncode}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
