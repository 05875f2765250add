"""Camera raw files, written byte by byte: real ones are large, and none may be shipped with us.

A DNG (Adobe's Digital Negative specification 1.7) is a TIFF whose main directory holds a small preview and whose
``SubIFDs`` hold the sensor's values and a large preview. Nikon's, Sony's, Samsung's, Pentax's and Olympus' files are
laid out likewise, so that one writer makes them all. The sensor here is an RGGB mosaic of 16 bits whose filters have
the primaries of sRGB: what goes in is what should come out.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Number: TypeAlias = int | float | Fraction
Tags: TypeAlias = Mapping[int, tuple[int, bytes | str | Sequence[Number]]]

BYTE, ASCII, SHORT, LONG, RATIONAL, UNDEFINED, SRATIONAL = 1, 2, 3, 4, 5, 7, 10

#: XYZ to the linear primaries of sRGB (IEC 61966-2-1), which are our sensor's.
_FROM_XYZ = (3.2406, -1.5372, -0.4986, -0.9689, 1.8758, 0.0415, 0.0557, -0.2040, 1.0570)

#: The tag that says how a picture's samples are meant: here, behind a mosaic of colour filters (TIFF/EP).
_CFA = 32803


@dataclass(frozen=True)
class Directory:
    """An image file directory: tags by number, as (type, values); ``data`` is what its strip holds."""

    tags: Tags
    data: bytes = b""
    children: Mapping[int, Sequence["Directory"]] = field(default_factory=dict)


def mosaic(picture: Image.Image, white: int = 65535) -> NDArray[np.uint16]:
    """See ``picture`` through an RGGB mosaic: one linear sample for each pixel."""
    encoded = np.asarray(picture.convert("RGB"), np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    samples = np.rint(linear * white).astype(np.uint16)
    seen: NDArray[np.uint16] = samples[:, :, 1].copy()
    seen[::2, ::2] = samples[::2, ::2, 0]
    seen[1::2, 1::2] = samples[1::2, 1::2, 2]
    return seen


def sensor_directory(sensor: NDArray[np.uint16], extra: Tags | None = None) -> Directory:
    """Describe the sensor's values, uncompressed in one strip."""
    height, width = sensor.shape
    tags: Tags = {
        254: (LONG, [0]),
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [16]),
        259: (SHORT, [1]),
        262: (SHORT, [_CFA]),
        277: (SHORT, [1]),
        278: (LONG, [height]),
        33421: (SHORT, [2, 2]),
        33422: (BYTE, [0, 1, 1, 2]),
    }
    return Directory({**tags, **(extra or {})}, sensor.astype("<u2").tobytes())


def preview_directory(jpeg: bytes, size: tuple[int, int]) -> Directory:
    """Describe a preview that is a whole JPEG file."""
    return Directory(
        {
            254: (LONG, [1]),
            256: (LONG, [size[0]]),
            257: (LONG, [size[1]]),
            258: (SHORT, [8, 8, 8]),
            259: (SHORT, [7]),
            262: (SHORT, [6]),
            277: (SHORT, [3]),
            278: (LONG, [size[1]]),
        },
        jpeg,
    )


def write_dng(
    picture: Image.Image,
    *,
    orientation: int = 1,
    preview: tuple[bytes, tuple[int, int]] | None = None,
    neutral: Sequence[float] = (1, 1, 1),
    extra: Tags | None = None,
    sensor_extra: Tags | None = None,
    exif: Tags | None = None,
    directories_first: bool = False,
) -> bytes:
    """Make a DNG of a picture as the sensor stores it; ``preview`` is a JPEG and its size.

    ``directories_first`` puts them before what they describe, as cameras do.
    """
    sensor = sensor_directory(mosaic(picture), {50717: (LONG, [65535]), 50714: (SHORT, [0])} | dict(sensor_extra or {}))
    children = [sensor] if preview is None else [sensor, preview_directory(*preview)]
    thumbnail = picture.resize((64, 48)).tobytes()
    main: Tags = {
        254: (LONG, [1]),
        256: (LONG, [64]),
        257: (LONG, [48]),
        258: (SHORT, [8, 8, 8]),
        259: (SHORT, [1]),
        262: (SHORT, [2]),
        271: (ASCII, "Spotcam"),
        272: (ASCII, "Mark II"),
        274: (SHORT, [orientation]),
        277: (SHORT, [3]),
        278: (LONG, [48]),
        50706: (BYTE, [1, 4, 0, 0]),
        50708: (ASCII, "Spotcam Mark II"),
        50721: (SRATIONAL, _FROM_XYZ),
        50728: (RATIONAL, neutral),
        50778: (SHORT, [21]),
    }
    nested: dict[int, Sequence[Directory]] = {330: children}
    if exif is not None:
        nested[34665] = [Directory(exif)]
    whole = Directory({**main, **(extra or {})}, thumbnail, nested)
    return write_tiff(whole, directories_first=directories_first)


def write_tiff(main: Directory, magic: bytes = b"II*\0", *, directories_first: bool = False) -> bytes:
    """Lay out a little-endian TIFF."""
    out = bytearray(magic + bytes(4))
    if not directories_first:
        first = _append(out, main, partial(_place, out))
    else:
        # The first time finds out how long the directories are, the second where the data behind them lies.
        end = len(out)
        for _ in range(2):
            out, later = out[:8], bytearray(end)
            first = _append(out, main, partial(_place, later))
            end = len(out) + len(out) % 2
        out = out.ljust(end, b"\0") + later[end:]
    out[4:8] = struct.pack("<I", first)
    return bytes(out)


def _append(out: bytearray, directory: Directory, place: Callable[[bytes], int]) -> int:
    """Write what a directory points at, then the directory; return where that is. ``place`` puts its picture's data."""
    tags: dict[int, tuple[int, bytes | str | Sequence[Number]]] = dict(directory.tags)
    for tag, children in directory.children.items():
        tags[tag] = (LONG, [_append(out, child, place) for child in children])
    if directory.data:
        tags[273] = (LONG, [place(directory.data)])
        tags[279] = (LONG, [len(directory.data)])
    entries = []
    for tag, (kind, values) in sorted(tags.items()):
        data, count = _encode(kind, values)
        inline = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack("<I", _place(out, data))
        entries.append(struct.pack("<HHI", tag, kind, count) + inline)
    return _place(out, struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4))


def _place(out: bytearray, data: bytes) -> int:
    out += bytes(len(out) % 2)
    at = len(out)
    out += data
    return at


def _encode(kind: int, values: bytes | str | Sequence[Number]) -> tuple[bytes, int]:
    if isinstance(values, str):
        values = values.encode() + b"\0"
    if isinstance(values, bytes):
        return values, len(values)
    if kind in (RATIONAL, SRATIONAL):
        pairs = [Fraction(value).limit_denominator(10000).as_integer_ratio() for value in values]
        numbers = [number for pair in pairs for number in pair]
        return struct.pack(f"<{len(numbers)}{'I' if kind == RATIONAL else 'i'}", *numbers), len(pairs)
    letter = {BYTE: "B", SHORT: "H", LONG: "I"}[kind]
    return struct.pack(f"<{len(values)}{letter}", *(int(value) for value in values)), len(values)
