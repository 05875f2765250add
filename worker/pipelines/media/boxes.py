"""Boxes of ISO base media files (ISO/IEC 14496-12, 4.2: MP4, AVIF, HEIC, CR3): made, and found in a file."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

#: More boxes side by side than any camera writes.
_MAX_BOXES = 10_000

#: The boxes on the way from a file to the sample descriptions of its tracks.
_TO_DESCRIPTIONS = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
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


@dataclass(frozen=True, slots=True)
class Box:
    """A box whose content lies from ``start`` to where it claims to ``end``; ``extended`` is the type of a ``uuid``."""

    kind: bytes
    start: int
    end: int
    extended: bytes


def walk_boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Find the boxes between two offsets; the last may claim to reach further."""
    for _ in range(_MAX_BOXES):
        if start >= end:
            return
        file.seek(start)
        head = file.read(32)
        length, content = int.from_bytes(head[:4], "big"), 8
        if length == 1:
            length, content = int.from_bytes(head[8:16], "big"), 16
        if length == 0:  # this box reaches to the end, wherever that is
            length = end - start
        extended = head[content : content + 16] if head[4:8] == b"uuid" else b""
        yield Box(head[4:8], start + content + len(extended), start + length, extended)
        start += max(length, 8)


def find_box(file: BinaryIO, start: int, end: int, kind: bytes) -> Box | None:
    """Find the first box of a kind between two offsets."""
    return next((box for box in walk_boxes(file, start, end) if box.kind == kind), None)


def sample_descriptions(path: Path) -> list[bytes]:
    """Return the ``stsd`` box of each track of a file that we had ffmpeg write."""
    with path.open("rb") as file:
        return list(_descriptions(file, 0, path.stat().st_size, _TO_DESCRIPTIONS))


def _descriptions(file: BinaryIO, start: int, end: int, way: tuple[bytes, ...]) -> Iterator[bytes]:
    for found in walk_boxes(file, start, end):
        if found.kind != way[0]:
            continue
        inner_end = min(found.end, end)
        if len(way) > 1:
            yield from _descriptions(file, found.start, inner_end, way[1:])
        else:
            file.seek(found.start)
            yield box(found.kind, file.read(inner_end - found.start))
