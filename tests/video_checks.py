"""What must be true of a finished film: every frame, once, in order, at uniform times; and nothing to warn about."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.films import number_of
from worker.pipelines.media.ffmpeg import executable


@dataclass(frozen=True)
class Checked:
    """What was found in a film: the numbers that its frames bear (None: unreadable), and its size, rate and length.

    ``sound_start`` and ``sound_end`` are seconds of what is heard, None without sound.
    """

    numbers: list[int | None]
    width: int
    height: int
    rate: Fraction
    sound_start: float | None
    sound_end: float | None


def check(path: Path, *, numbered: bool = True) -> Checked:
    """Decode a film whole and assert that its frames have uniform timestamps and that no decoder warns.

    ``numbered``: read the number that ``tests.films`` draws in each frame. The caller compares the numbers with what it
    expects, which is ``list(range(frames))`` where the rate was kept.
    """
    assert warnings(path) == [], path
    with closing(av.open(str(path))) as container:
        video = container.streams.video[0]
        rate, base = video.average_rate, video.time_base
        assert rate is not None
        assert base is not None
        times = sorted(packet.pts for packet in container.demux(video) if packet.size and packet.pts is not None)
        step = 1 / (rate * base)
        assert step.denominator == 1, f"{path}: frames of {rate} a second do not fit a clock of {base}"
        assert times == [n * int(step) for n in range(len(times))], f"{path}: timestamps are not uniform"
        width, height = video.width, video.height
    numbers = [number_of(luma) if numbered else None for luma in lumas(path, width, height)]
    assert len(numbers) == len(times), f"{path}: {len(numbers)} frames come out of {len(times)}"
    start, end = _sound(path)
    return Checked(numbers, width, height, rate, start, end)


def warnings(path: Path, *options: str) -> list[str]:
    """Decode every stream of a file and return the lines that ffmpeg has to say about it."""
    command = [executable(), "-nostdin", "-v", "warning", *options, "-i", str(path), "-map", "0", "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()


def ffmpeg(*arguments: str) -> None:
    """Run ffmpeg, for films that need more than one go."""
    subprocess.run([executable(), "-nostdin", "-v", "error", "-y", *arguments], check=True)


def lumas(path: Path, width: int, height: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the luma of every frame that comes out of a decoder, as it is: no frame is doubled or left out."""
    command = [
        executable(), "-nostdin", "-v", "error", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough",
        "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as decoder:
        assert decoder.stdout is not None
        while frame := decoder.stdout.read(width * height):
            yield np.frombuffer(frame, np.uint8).reshape(height, width)


def _sound(path: Path) -> tuple[float | None, float | None]:
    """Return when the first and the last decoded sample are heard."""
    with closing(av.open(str(path))) as container:
        if not container.streams.audio:
            return None, None
        stream = container.streams.audio[0]
        frames = [(frame.pts, frame.samples) for frame in container.decode(stream) if frame.pts is not None]
        base = stream.time_base
    assert base is not None
    return float(frames[0][0] * base), float(frames[-1][0] * base) + frames[-1][1] / 48_000
