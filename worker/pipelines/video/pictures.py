"""Pictures of a film: a poster that shows something, and small ones of all of it for scrubbing.

They are taken from the keyframes of finished renditions, which are quick to decode and no longer hostile.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

#: Box of a small picture, and the most of them on a sheet.
TILE = (160, 160)
MOST_TILES = 144
COLUMNS = 12
#: Seconds between two small pictures at least: renditions have a keyframe as often.
_STEP = 2.0
_POSTER_BOX = (1280, 1280)
_CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Sheet:
    """The small pictures on one JPEG, and the WebVTT file that says which part of it belongs to which time."""

    jpeg: bytes
    vtt: str
    tile_width: int
    tile_height: int
    columns: int
    count: int
    seconds: float


def sheet(path: Path, seconds: float, link: str) -> Sheet:
    """Make the scrubbing sheet of a rendition that is ``seconds`` long; ``link`` is the JPEG's name in the VTT."""
    step = max(_STEP, np.ceil(seconds / MOST_TILES).item())
    count = max(1, min(MOST_TILES, round(seconds / step)))
    tiles = []
    for number, frame in enumerate(_keyframes(path, [(n + 0.5) * step for n in range(count)])):
        picture = frame.to_image()
        if number == 0:
            picture.thumbnail(TILE)
            tiles.append(picture)
        else:
            tiles.append(picture.resize(tiles[0].size, Image.Resampling.BICUBIC))
    width, height = tiles[0].size
    columns = min(COLUMNS, len(tiles))
    whole = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height))
    cues = []
    for number, tile in enumerate(tiles):
        left, top = number % columns * width, number // columns * height
        whole.paste(tile, (left, top))
        end = seconds if number == len(tiles) - 1 else (number + 1) * step
        cues.append(f"{_clock(number * step)} --> {_clock(end)}\n{link}#xywh={left},{top},{width},{height}\n")
    vtt = "WEBVTT\n\n" + "\n".join(cues)
    return Sheet(_jpeg(whole, 75), vtt, width, height, columns, len(tiles), step)


def poster(small: Path, large: Path, seconds: float) -> bytes:
    """Choose among the keyframes of the first half one that is neither black, nor blank, nor blurred; return a JPEG.

    ``small`` and ``large`` are renditions of the same film: the one to choose from, the other to take it from.
    """
    times = [seconds * 0.55 * (n + 0.5) / _CANDIDATES for n in range(_CANDIDATES)]
    scores = [_interest(frame.to_ndarray(format="gray")) for frame in _keyframes(small, times)]
    best = times[int(np.argmax(scores))] if scores else 0.0
    (frame,) = _keyframes(large, [best])
    picture = frame.to_image()
    picture.thumbnail(_POSTER_BOX)
    return _jpeg(picture, 85)


def _interest(luma: Any) -> float:
    """Return how much there is to see: contrast, and detail, as far as they go."""
    pixels = luma.astype(np.float32)
    contrast = min(1.0, float(pixels.std()) / 50)
    detail = min(1.0, float(np.abs(np.diff(pixels, axis=0)).mean() + np.abs(np.diff(pixels, axis=1)).mean()) / 12)
    light = 1.0 if 40 < float(pixels.mean()) < 215 else 0.4
    return contrast * light + 0.7 * detail * light


def _keyframes(path: Path, times: Sequence[float]) -> list[Any]:
    """Decode the keyframe at or before each time."""
    frames = []
    with closing(av.open(str(path))) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        for time in times:
            container.seek(int(time * 1_000_000))
            frames.append(next(container.decode(stream)))
    return frames


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


def _clock(seconds: float) -> str:
    minutes, thousandths = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"
