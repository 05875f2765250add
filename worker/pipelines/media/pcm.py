"""Decoded sound on disk: read piece by piece, so that memory does not grow with the length of a recording."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

#: Samples for each second of decoded sound; what Whisper, Silero VAD and CAM++ were trained on.
RATE = 16_000


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a recording, in seconds; ``end`` is not part of it."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


class Pcm:
    """Mono sound at 16 kHz in a file of little-endian signed 16-bit samples without a header."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.samples = path.stat().st_size // 2

    @property
    def seconds(self) -> float:
        """Length of the sound."""
        return self.samples / RATE

    def read(self, start: float, end: float) -> NDArray[np.float32]:
        """Return samples from -1 to 1 of the seconds from ``start`` to ``end``, cut where the sound ends."""
        first = max(0, round(start * RATE))
        count = max(0, min(self.samples, round(end * RATE)) - first)
        with self.path.open("rb") as file:
            raw = np.fromfile(file, "<i2", count, offset=2 * first)
        return raw.astype(np.float32) / np.float32(32768)
