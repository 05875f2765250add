"""Films for tests and benchmarks: photographs that move, with a number in each frame that survives every encoder."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.photos import photographs
from worker.pipelines.media.ffmpeg import executable

#: Cells of the strip across the top of each frame that spells its number, the most significant one first. A light and
#: a dark one come before, so that a strip is told from a picture.
_BITS = 20
_CELLS = _BITS + 2
#: Seconds after which another photograph is shown: a cut, as films have them.
_SCENE_SECONDS = 4
#: How much wider than the film the photographs are that it shows parts of.
_ROOM = 1.25


def frames(size: tuple[int, int], rate: Fraction, count: int, *, numbered: bool = True) -> Iterator[bytes]:
    """Yield RGB frames: photographs under a camera that pans and zooms, numbered from 0."""
    width, height = size
    pictures = [_canvas(path, round(width * _ROOM)) for path in photographs()]
    scene = round(_SCENE_SECONDS * rate)
    for number in range(count):
        canvas = pictures[number // scene % len(pictures)]
        at = number % scene / scene
        zoom = 0.55 + 0.35 * at
        wide, high = canvas.width * zoom, canvas.width * zoom * height / width
        if high > canvas.height:
            wide, high = canvas.height * zoom * width / height, canvas.height * zoom
        left, top = (canvas.width - wide) * at, (canvas.height - high) * (1 - at)
        box = (left, top, left + wide, top + high)
        pixels = np.array(canvas.resize(size, Image.Resampling.BILINEAR, box))
        if numbered:
            _mark(pixels, number)
        yield pixels.tobytes()


def film(
    path: Path,
    *,
    seconds: float,
    size: tuple[int, int] = (640, 360),
    rate: Fraction = Fraction(30),
    sound: Sequence[str] = ("-f", "lavfi", "-i", "aevalsrc=0.3*sin(2*PI*(220+20*floor(t))*t):s=48000"),
    options: Sequence[str] = (),
    numbered: bool = True,
) -> Path:
    """Write a film in which frame n is shown from n / ``rate``; ``sound`` is an input of ffmpeg, or nothing.

    ``options`` come last: encoders, filters, another length of the sound. Without any, it is H.264 and AAC.
    """
    count = round(seconds * rate)
    width, height = size
    defaults = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "20", "-g", "60", "-bf", "2", "-pix_fmt", "yuv420p"]
    command = [
        executable(), "-v", "error", "-y",
        "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate), "-i", "pipe:0",
        *sound, *(("-t", str(seconds)) if sound else ()), *defaults, *options, str(path),
    ]  # fmt: skip
    with subprocess.Popen(command, stdin=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None
        with suppress(BrokenPipeError):  # the options may end the film earlier
            for frame in frames(size, rate, count, numbered=numbered):
                encoder.stdin.write(frame)
            encoder.stdin.close()
    assert encoder.returncode == 0, command
    return path


def number_of(luma: NDArray[np.uint8]) -> int | None:
    """Read the number of a frame from its luma, of any size; None if there is none."""
    height, width = luma.shape
    top = max(1, height // 20)
    strip = luma[top // 4 : max(top // 4 + 1, 3 * top // 4)].astype(np.float32)
    edges = np.linspace(0, width, _CELLS + 1)
    cells = []
    for left, right in pairwise(edges):
        third = (right - left) / 3
        cells.append(float(strip[:, round(left + third) : max(round(left + third) + 1, round(right - third))].mean()))
    light, dark = cells[0], cells[1]
    if light - dark < 100:
        return None
    middle = (light + dark) / 2
    return sum((cell > middle) << bit for bit, cell in zip(range(_BITS - 1, -1, -1), cells[2:], strict=True))


@cache
def _canvas(path: Path, width: int) -> Image.Image:
    """Open a photograph, somewhat larger than the film, so that there is detail to code while the camera zooms."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.BICUBIC)


def _mark(pixels: NDArray[np.uint8], number: int) -> None:
    height, width = pixels.shape[:2]
    edges = np.linspace(0, width, _CELLS + 1).round().astype(int)
    cells = [1, 0] + [number >> bit & 1 for bit in range(_BITS - 1, -1, -1)]
    top = max(1, height // 20)
    for cell, left, right in zip(cells, edges[:-1], edges[1:], strict=True):
        pixels[:top, left:right] = 235 if cell else 20
