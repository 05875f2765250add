"""EXIF blocks are written by strangers: whatever is in them, reading one ends, and what it gives is JSON."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.photos import camera_exif
from worker.pipelines.images.exif import parse_exif
from worker.pipelines.images.ifd import MAX_VALUE_BYTES


def block(order: str, *entries: bytes, tail: bytes = b"") -> bytes:
    """One directory right after the header."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}IH", 8, len(entries)) + b"".join(entries) + bytes(4) + tail


def ascii_entry(tag: int, text: bytes, at: int) -> bytes:
    return struct.pack("<HHII", tag, 2, len(text), at)


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_the_preamble_is_optional(prefix: bytes) -> None:
    """JPEG and PNG differ in whether a block starts with ``Exif``; both are read."""
    bare = camera_exif().removeprefix(b"Exif\0\0")
    assert parse_exif(prefix + bare).tags["Model"] == "Mark II"


def test_big_endian_blocks_are_read() -> None:
    """Cameras of either byte order are understood."""
    exif = Image.Exif()
    exif.endian = ">"
    exif[0x0110] = "Mark II"
    exif[0x0112] = 6
    read = parse_exif(exif.tobytes())
    assert read.tags == {"Model": "Mark II", "Orientation": 6}
    assert read.orientation == 6


def test_text_is_clean_and_readable() -> None:
    """UTF-8 and Latin-1 are read, and neither NUL nor control characters reach the database."""
    utf8, latin = "Café\x07 Müller\0junk".encode(), "Größe".encode("latin-1")
    at = 8 + 2 + 24 + 4
    data = block("<", ascii_entry(0x010F, utf8, at), ascii_entry(0x0110, latin, at + len(utf8)), tail=utf8 + latin)
    assert parse_exif(data).tags == {"Make": "Café Müller", "Model": "Größe"}


def test_values_without_meaning_are_left_out() -> None:
    """A division by zero, an endless text and an offset out of the file cost their tag and no other."""
    rational = struct.pack("<HHII", 0x829A, 5, 1, 8 + 2 + 48 + 4)
    long_text = ascii_entry(0x010F, b"x" * (MAX_VALUE_BYTES + 1), 0)
    outside = struct.pack("<HHII", 0x829D, 5, 1, 2**32 - 1)
    model = struct.pack("<HHI4s", 0x0110, 2, 4, b"Cam\0")
    data = block("<", rational, long_text, outside, model, tail=struct.pack("<II", 1, 0))
    assert parse_exif(data).tags == {"Model": "Cam"}


@pytest.mark.parametrize("wild", [0, 9, 6000])
def test_a_wild_orientation_is_upright(wild: int) -> None:
    """Only 1 to 8 are orientations."""
    assert parse_exif(block("<", struct.pack("<HHIHH", 0x0112, 3, 1, wild, 0))).orientation == 1


@pytest.mark.parametrize(
    ("moment", "offset", "wanted"),
    [
        ("2024:05:01 12:34:56", "+02:00", "2024-05-01T12:34:56+02:00"),
        ("2024:05:01 12:34:56", None, "2024-05-01T12:34:56"),
        ("2024:05:01 12:34:56", "elsewhere", "2024-05-01T12:34:56"),
        ("0000:00:00 00:00:00", "+02:00", None),
        ("    :  :     :  :  ", None, None),
    ],
)
def test_the_time_is_iso_8601(moment: str, offset: str | None, wanted: str | None) -> None:
    """A time comes with the camera's offset where that is known, and not at all where the clock was never set."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = moment
    if offset:
        exif.get_ifd(0x8769)[0x9011] = offset
    assert parse_exif(exif.tobytes()).taken_at == wanted


def test_a_directory_that_points_at_itself_ends() -> None:
    """A loop of directories is read once."""
    nested = struct.pack("<HHII", 0x8769, 4, 1, 8)
    assert parse_exif(block("<", nested)).tags == {}


@given(st.binary(max_size=400))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Random bytes behind a valid start give JSON and never an error."""
    for start in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", b""):
        json.dumps(parse_exif(start + data).tags, allow_nan=False)


@given(st.integers(0, 400), st.binary(min_size=1, max_size=40))
def test_any_damage_is_survived(at: int, damage: bytes) -> None:
    """A real block with some bytes overwritten gives JSON and never an error."""
    data = bytearray(camera_exif())
    data[at : at + len(damage)] = damage
    json.dumps(parse_exif(bytes(data)).tags, allow_nan=False)
