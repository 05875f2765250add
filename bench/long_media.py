"""Media as long as people's: an hour of people who take turns, ten minutes of film."""

import random
import subprocess
import wave
from pathlib import Path

import numpy as np
from imageio_ffmpeg import get_ffmpeg_exe
from numpy.typing import NDArray

from tests.speech_media import call, cards, joined, readings, sentences
from worker.pipelines.media.pcm import RATE


def recording(folder: Path, minutes: float, seed: int = 1) -> Path:
    """Make a FLAC in which four people's recordings follow each other, over and over, in another order each time."""
    chance = random.Random(seed)
    voices = [saying.sound() for saying in (*sentences(), *readings(), *cards())] + [_samples(call()[0])]
    wanted, have = round(minutes * 60 * RATE), 0
    parts: list[NDArray[np.int16]] = []
    while have < wanted:
        chance.shuffle(voices)
        round_of_all = joined(voices, [chance.uniform(0.2, 1.2) for _ in voices])
        parts.append(round_of_all)
        have += len(round_of_all)
    target = folder / f"recording-{minutes:g}.flac"
    command = [
        get_ffmpeg_exe(), "-v", "error", "-y", "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-i", "pipe:0", str(target)
    ]  # fmt: skip
    subprocess.run(command, check=True, input=np.concatenate(parts)[:wanted].tobytes())
    return target


def _samples(path: Path) -> NDArray[np.int16]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")
