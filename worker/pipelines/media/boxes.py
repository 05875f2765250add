"""Boxes of ISO base media files (ISO/IEC 14496-12): made from their fields, and found in a file."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
#: The turn that changes nothing, as tkhd and mvhd want it.
MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return a box of ``kind`` with these contents."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box that begins with a version and flags."""
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def language_code(language: str | None) -> bytes:
    """Pack an ISO 639-2 code into the 15 bits of ``mdhd``."""
    letters = language if language and len(language) == 3 and language.isascii() and language.islower() else "und"
    first, second, third = (ord(letter) - 0x60 for letter in letters)
    return struct.pack(">H", first << 10 | second << 5 | third)


def sample_descriptions(path: Path) -> list[bytes]:
    """Return the ``stsd`` box of each track of a file that we had ffmpeg write."""
    with path.open("rb") as file:
        return list(_find(file, 0, path.stat().st_size))


def _find(file: BinaryIO, at: int, end: int) -> Sequence[bytes]:
    found: list[bytes] = []
    while at + 8 <= end:
        file.seek(at)
        size, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
            header = 16
        if size < header:
            break
        if kind == b"stsd":
            file.seek(at)
            found.append(file.read(size))
        elif kind in _CONTAINERS:
            found += _find(file, at + header, min(end, at + size))
        at += size
    return found
