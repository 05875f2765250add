"""Which camera wrote a raw file, told by its bytes, what it says of the picture, and whether it ends too early.

Most raw files are TIFFs: what makes them raw is in their directories. Sources: Adobe's DNG specification 1.7;
TIFF/EP (ISO 12234-2); for the makers' own formats, LibRaw's ``identify`` and ExifTool's tag tables.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from worker.pipelines.images.exif import Exif, parse_exif, read_tiff_tags
from worker.pipelines.images.ifd import Layout, Value, read_directory, read_layout
from worker.pipelines.media.boxes import Box, find_box, walk_boxes

_SIGNATURES = (
    (b"FUJIFILMCCD-RAW", "raf"),
    (b"IIRO", "orf"),
    (b"IIRS", "orf"),
    (b"MMOR", "orf"),
    (b"IIU\0", "rw2"),
    (b"II\x1a\0\0\0HEAPCCDR", "crw"),
    (b"\0MRM", "mrw"),
    (b"FOVb", "x3f"),
)
#: How the makers of TIFFs begin their names (tag 271), in capitals, and what they call their files.
_MAKERS = (
    ("NIKON", "nef"),
    ("SONY", "arw"),
    ("PENTAX", "pef"),
    ("RICOH", "pef"),
    ("SAMSUNG", "srw"),
    ("CANON", "cr2"),
    ("HASSELBLAD", "3fr"),
    ("PHASE ONE", "iiq"),
    ("LEAF", "mos"),
    ("MAMIYA", "mef"),
    ("SEIKO EPSON", "erf"),
    ("EASTMAN KODAK", "dcr"),
    ("KODAK", "dcr"),
)

_SUBFILE, _PHOTOMETRIC, _MAKE, _SUB_DIRECTORIES, _DNG_VERSION = 254, 262, 271, 330, 50706
#: Samples behind a mosaic of colour filters, and those of a mosaic that was undone already.
_MOSAIC, _UNDONE = 32803, 34892
#: Where the data of a directory lies, and how many bytes: strips, tiles, a JPEG.
_DATA = ((273, 279), (324, 325), (513, 514))
_MAX_SUB_DIRECTORIES = 16
#: EXIF is the first or the second segment of a JPEG.
_MAX_SEGMENTS = 16

_CANON = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")


def raw_format(path: Path) -> str | None:
    """Name the format of a camera raw file (``dng``, ``nef`` …; ``raw`` of a maker unknown), None for others."""
    with path.open("rb") as file:
        head = file.read(16)
        if head[4:12] == b"ftypcrx ":
            return "cr3"
        if head.startswith(b"II*\0") and head[8:10] == b"CR":
            return "cr2"
        found = next((name for sign, name in _SIGNATURES if head.startswith(sign)), None)
        if found is not None:
            return found
        layout = read_layout(file) if head[:2] in (b"II", b"MM") else None
        return None if layout is None else _tiff_format(file, layout)


def _tiff_format(file: BinaryIO, layout: Layout) -> str | None:
    directories = list(_directories(file, layout, (_SUBFILE, _PHOTOMETRIC, _MAKE, _DNG_VERSION)))
    main = directories[0]
    if _DNG_VERSION in main:
        return "dng"
    subfile = main.get(_SUBFILE)
    # A camera puts a preview first; a scanner's or an editor's TIFF begins with its picture.
    preview_first = isinstance(subfile, int) and bool(subfile & 1)
    if not preview_first and not any(found.get(_PHOTOMETRIC) in (_MOSAIC, _UNDONE) for found in directories):
        return None
    maker = str(main.get(_MAKE, "")).upper()
    return next((name for start, name in _MAKERS if maker.startswith(start)), "raw")


def _directories(file: BinaryIO, layout: Layout, wanted: tuple[int, ...]) -> Iterator[dict[int, Value]]:
    """Read the main directory and those below it."""
    main = read_directory(file, layout, layout.first, (*wanted, _SUB_DIRECTORIES))
    yield main
    for offset in _integers(main.get(_SUB_DIRECTORIES))[:_MAX_SUB_DIRECTORIES]:
        yield read_directory(file, layout, offset, wanted)


def has_every_colour(path: Path) -> bool:
    """Say whether each pixel has three colours, as in a linear DNG; a sensor has one."""
    with path.open("rb") as file:
        layout = read_layout(file)
        found = _directories(file, layout, (_PHOTOMETRIC,)) if layout else iter(())
        return any(directory.get(_PHOTOMETRIC) == _UNDONE for directory in found)


def seems_complete(path: Path) -> bool:
    """Say whether all that the file points at lies within it; False is a suspicion, as some cameras count wrongly."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(108)
        if head[4:12] == b"ftypcrx ":
            return all(box.end <= size for box in walk_boxes(file, 0, size))
        if head.startswith(b"FUJIFILMCCD-RAW"):
            places = [int.from_bytes(head[at : at + 4], "big") for at in range(84, 108, 4)]
            return all(offset + count <= size for offset, count in zip(places[::2], places[1::2], strict=True))
        layout = read_layout(file)
        if layout is None:
            return True
        if layout.first >= size:
            return False
        wanted = tuple(tag for pair in _DATA for tag in pair)
        for directory in _directories(file, layout, wanted):
            for offsets, counts in _DATA:
                pairs = zip(_integers(directory.get(offsets)), _integers(directory.get(counts)), strict=False)
                if any(offset + count > size for offset, count in pairs):
                    return False
    return True


def read_camera_tags(path: Path, name: str) -> Exif:
    """Read the publishable tags of a raw file of format ``name``."""
    with path.open("rb") as file:
        if name == "raf":
            return parse_exif(_fujifilm_exif(file))
        if name == "cr3":
            return _canon_exif(file, path.stat().st_size)
    return read_tiff_tags(path)


def _fujifilm_exif(file: BinaryIO) -> bytes | None:
    """Find the EXIF block of the whole JPEG that a RAF begins with."""
    file.seek(84)
    position = int.from_bytes(file.read(4), "big") + 2
    for _ in range(_MAX_SEGMENTS):
        file.seek(position)
        head = file.read(10)
        length = int.from_bytes(head[2:4], "big")
        if head[:2] == b"\xff\xe1" and head[4:] == b"Exif\0\0":
            return file.read(length - 8)
        if head[:1] != b"\xff" or length < 2:
            return None
        position += 2 + length
    return None


def _canon_exif(file: BinaryIO, size: int) -> Exif:
    """Read boxes CMT1 and CMT2 of a CR3: the directories of a TIFF, each a TIFF of its own."""
    movie = find_box(file, 0, size, b"moov")
    canon = next((box for box in _children(file, movie) if box.kind == b"uuid" and box.extended == _CANON), None)
    tags: dict[str, Any] = {}
    for box in _children(file, canon):
        if box.kind in (b"CMT1", b"CMT2"):
            file.seek(box.start)
            tags |= parse_exif(file.read(min(box.end - box.start, io.DEFAULT_BUFFER_SIZE * 512))).tags
    return Exif(dict(sorted(tags.items())))


def _children(file: BinaryIO, box: Box | None) -> Iterator[Box]:
    return iter(()) if box is None else walk_boxes(file, box.start, box.end)


def _integers(value: Value | None) -> list[int]:
    values = value if isinstance(value, tuple) else (value,)
    return [number for number in values if isinstance(number, int)]
