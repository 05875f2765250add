"""The chunks of a PNG, walked without decoding (https://www.w3.org/TR/png-3/#5Chunk-layout)."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from spotmill import PermanentError

#: Text and profiles may be deflated 1 : 1000, and libpng unpacks each chunk up to 60 MB: 2 MB of them took 3.8 GB.
MAX_METADATA_BYTES = 16 * 2**20
#: A real PNG has a few dozen chunks before its picture.
MAX_LEADING_CHUNKS = 10_000


def check_metadata(path: Path) -> None:
    """Refuse a PNG whose text and profile would unpack to more than ``MAX_METADATA_BYTES``.

    Raises:
        PermanentError: the metadata is a decompression bomb.
    """
    budget = MAX_METADATA_BYTES
    with path.open("rb") as file:
        for number, (kind, length) in enumerate(_chunks(file)):
            if kind == b"IDAT":
                return
            if kind in (b"iCCP", b"zTXt", b"iTXt", b"tEXt", b"eXIf"):
                budget -= length if length > budget else _unpacked_size(kind, file.read(length), budget)
            if budget < 0 or number > MAX_LEADING_CHUNKS:
                raise PermanentError("This PNG file is refused: its text and colour profile unpack to an absurd size.")


def size(path: Path) -> tuple[int, int] | None:
    """Read width and height from the header chunk, or None where there is none."""
    with path.open("rb") as file:
        head = file.read(24)
    if len(head) < 24 or head[12:16] != b"IHDR":
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def is_complete(path: Path) -> bool:
    """Tell whether the closing chunk is there."""
    with path.open("rb") as file:
        return any(kind == b"IEND" for kind, _ in _chunks(file))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield kind and data length of every chunk, with the file at the start of its data."""
    position = 8
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length
        position += 12 + length


def _unpacked_size(kind: bytes, data: bytes, budget: int) -> int:
    """Reckon how many bytes a chunk's data takes in memory, unpacking at most ``budget`` bytes and one."""
    keyword_end = data.find(b"\0") + 1
    if kind in (b"iCCP", b"zTXt"):
        packed = data[keyword_end + 1 :]
    elif kind == b"iTXt" and data[keyword_end : keyword_end + 1] == b"\1":
        packed = data[keyword_end + 2 :].split(b"\0", 2)[-1]
    else:
        return len(data)
    try:
        return len(zlib.decompressobj().decompress(packed, budget + 1))
    except zlib.error:
        return len(data)
