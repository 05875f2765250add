"""The first frames of a film as they really decode: upright, with their shape, fields and colours."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from spotmill import PermanentError
from worker.pipelines.media import ffmpeg

#: Frames that are looked at. Interlacing shows in the first ones; a broadcast may begin with some that are broken.
FRAMES = 12
_SECONDS = 60
TROUBLE = "The video cannot be decoded"

_SHOWN = re.compile(r"pts:\s*(-?\d+).* fmt:(\S+) .*sar:(\d+)/(\d+) s:(\d+)x(\d+) i:([PTB])")
_COLOURS = re.compile(r"color_range:(\S+) color_space:(\S+) color_primaries:(\S+) color_trc:(\S+)")
_ROTATED = re.compile(r"[Dd]isplay ?[Mm]atrix: rotation of (-?\d+(?:\.\d+)?) degrees")


@dataclass(frozen=True, slots=True)
class Look:
    """A frame as it comes out of ffmpeg, turned upright. Colours are ffmpeg's names (``bt709``, ``unknown``).

    ``rotation`` is the clockwise turn in degrees that the file asked for, which has been made.
    """

    width: int
    height: int
    sample_aspect: Fraction
    pixel_format: str
    interlaced: bool
    rotation: int
    full_range: bool
    matrix: str
    primaries: str
    transfer: str


def look(path: Path, index: int, max_pixels: int) -> Look:
    """Decode the first frames of stream ``index``.

    Raises:
        PermanentError: there is no frame to be had.
    """
    process = ffmpeg.run(
        [
            *decoding(max_pixels),
            *ffmpeg.source(path, "-t", str(_SECONDS)),
            "-map", f"0:{index}", "-frames:v", str(FRAMES), "-fps_mode", "passthrough",
            "-vf", "showinfo=checksum=0", "-f", "null", "-",
        ],
        trouble=TROUBLE,
        level="info",
    )  # fmt: skip
    return read(list(process.lines))


def decoding(max_pixels: int) -> list[str]:
    """Return the options of every input that is decoded: no frame of more pixels, no end because of broken ones."""
    return ["-max_pixels", str(max_pixels), "-max_error_rate", "1"]


def read(lines: list[str]) -> Look:
    """Read what ffmpeg's ``showinfo`` filter wrote.

    Raises:
        PermanentError: it saw no frame.
    """
    shown = [match for line in lines if (match := _SHOWN.search(line))]
    if not shown:
        raise PermanentError(f"{TROUBLE}: not one frame of it is readable.")
    colours = next((match.groups() for line in lines if (match := _COLOURS.search(line))), ("unknown",) * 4)
    turned = next((float(match[1]) for line in lines if (match := _ROTATED.search(line))), 0.0)
    last = shown[-1]
    return Look(
        width=int(last[5]),
        height=int(last[6]),
        sample_aspect=Fraction(int(last[3]), int(last[4])) if int(last[3]) and int(last[4]) else Fraction(1),
        pixel_format=last[2],
        interlaced=2 * sum(match[7] != "P" for match in shown) > len(shown),
        rotation=round(-turned) % 360,
        full_range=colours[0] == "pc",
        matrix=colours[1],
        primaries=colours[2],
        transfer=colours[3],
    )
