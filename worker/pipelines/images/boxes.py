"""The boxes of an ISO base media file (ISO/IEC 14496-12, 4.2), which AVIF, HEIC and CR3 are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

#: More boxes side by side than any camera writes.
_MAX_BOXES = 10_000


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
