"""The directories of a TIFF file, which EXIF blocks are too (TIFF 6.0, section 2; CIPA DC-008, 4.6).

Ours because it must not be bombed: Pillow and others read every value of a directory, and thousands of entries may
point at the same megabytes. Here only the tags asked for are read, and each to a limit.
"""

import math
import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

Value: TypeAlias = str | bytes | int | float | tuple[int | float, ...]

MAX_ENTRIES = 2000
MAX_VALUE_BYTES = 4096

#: TIFF's own, those of Olympus ("RO", "RS") and of Panasonic, whose raw files are TIFFs otherwise.
_VERSIONS = (42, 0x4F52, 0x5352, 0x55)

_ASCII = 2
_UNDEFINED = 7
_RATIONALS = (5, 10)
_STRUCTS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I", 16: "Q"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a TIFF's numbers lie: byte order, first directory, and the wide offsets of BigTIFF."""

    order: str
    first: int
    big: bool


def read_layout(file: BinaryIO) -> Layout | None:
    """Read the header at the file's position 0, or None where it is neither TIFF nor laid out like one."""
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return None
    version = struct.unpack(f"{order}H", head[2:4])[0]
    if version == 43 and len(head) == 16:
        return Layout(order, struct.unpack(f"{order}Q", head[8:16])[0], big=True)
    return Layout(order, struct.unpack(f"{order}I", head[4:8])[0], big=False) if version in _VERSIONS else None


def read_directory(file: BinaryIO, layout: Layout, offset: int, wanted: Collection[int]) -> dict[int, Value]:
    """Read the tags in ``wanted`` from the directory at ``offset``; what is broken or too long is left out."""
    count_format, entry_format, entry_size, inline = ("Q", "HHQ", 20, 8) if layout.big else ("H", "HHI", 12, 4)
    head_size = struct.calcsize(f"={count_format}")
    (count,) = _unpack(layout, count_format, _read_at(file, offset, head_size)) or (0,)
    table = _read_at(file, offset + head_size, min(int(count), MAX_ENTRIES) * entry_size)
    found: dict[int, Value] = {}
    for at in range(0, len(table) - entry_size + 1, entry_size):
        entry = table[at : at + entry_size]
        tag, kind, length = struct.unpack(f"{layout.order}{entry_format}", entry[:-inline])
        if tag not in wanted:
            continue
        size = length * (1 if kind in (_ASCII, _UNDEFINED) else struct.calcsize(f"={_STRUCTS.get(kind, '0s')}"))
        if not 0 < size <= MAX_VALUE_BYTES:
            continue
        data = entry[-inline:][:size]
        if size > inline:
            data = _read_at(
                file, struct.unpack(f"{layout.order}{'Q' if layout.big else 'I'}", entry[-inline:])[0], size
            )
        value = _value(layout, kind, length, data)
        if value is not None:
            found[tag] = value
    return found


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    if offset >= 2**62:  # further than a file offset reaches
        return b""
    file.seek(offset)
    return file.read(size)


def _value(layout: Layout, kind: int, length: int, data: bytes) -> Value | None:
    if kind == _ASCII:
        return _text(data)
    if kind == _UNDEFINED:
        return data
    numbers = _unpack(layout, _STRUCTS[kind] * length, data)
    if numbers is None:
        return None
    if kind in _RATIONALS:
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        numbers = tuple(above / below if below else math.nan for above, below in pairs)
    if not all(math.isfinite(number) for number in numbers):
        return None
    return numbers[0] if len(numbers) == 1 else numbers


def _unpack(layout: Layout, layout_format: str, data: bytes) -> tuple[int | float, ...] | None:
    whole = f"{layout.order}{layout_format}"
    return struct.unpack(whole, data) if len(data) == struct.calcsize(whole) else None


def _text(data: bytes) -> str | None:
    """Decode up to the first NUL; the standard says ASCII, cameras and editors write UTF-8 and Latin-1."""
    data = data.split(b"\0", 1)[0]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = "".join(char for char in text if char.isprintable()).strip()
    return text or None
