"""The pictures of an archive that a stranger made: nothing is unpacked to disk, and nothing without a limit."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image, ImageOps

from spotmill import PermanentError

MAX_PICTURES = 5000
MAX_MEMBERS = 50_000
MAX_PICTURE_BYTES = 100 * 2**20
MAX_PIXELS = 100_000_000
MAX_EXIF_BYTES = 2**16

#: Loaders that may open a picture; Pillow has forty.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF")

#: What ``zipfile`` and Pillow raise at damaged data.
DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, Image.DecompressionBombError),
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, KeyError, NotImplementedError),
)

_DESCRIPTION, _EXIF, _TAKEN = 0x010E, 0x8769, 0x9003


def list_pictures(path: Path) -> list[dict[str, Any]]:
    """List the pictures in order of time, then of their names; what cannot be read as a picture is left out.

    ``seconds`` is the time since the first picture was taken, 0 where that is unknown.

    Raises:
        PermanentError: this is no archive, or it holds more than is allowed.
    """
    found = []
    with _opened(path) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise PermanentError(f"This archive contains {len(members):,} files; {MAX_MEMBERS:,} are allowed.")
        for member in members:
            name = PurePosixPath(member.filename).name
            if member.is_dir() or name.startswith(".") or member.filename.startswith("__MACOSX/"):
                continue
            if member.flag_bits & 1:
                raise PermanentError("This archive is locked with a password.")
            about = _describe(archive, member)
            if about is not None:
                found.append({"member": member.filename, "name": name, **about})
            if len(found) > MAX_PICTURES:
                raise PermanentError(f"This archive contains more than {MAX_PICTURES:,} pictures.")
    found.sort(key=lambda each: (each["taken_at"] or "9999", each["member"]))
    times = [datetime.fromisoformat(each["taken_at"]) for each in found if each["taken_at"]]
    for each in found:
        taken = each["taken_at"]
        each["seconds"] = (datetime.fromisoformat(taken) - times[0]).total_seconds() if taken else 0.0
    return found


def read_picture(path: Path, name: str) -> Image.Image | None:
    """Decode a picture of the archive, upright; None if it is damaged."""
    with _opened(path) as archive, suppress(*DAMAGE):
        data = archive.read(name)
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            picture.draft("RGB", (1024, 1024))  # a JPEG is decoded no larger than needed
            return ImageOps.exif_transpose(picture).convert("RGB")
    return None


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise PermanentError("This file is no ZIP archive, or it is damaged.") from error


def _describe(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> dict[str, Any] | None:
    """Say what a picture tells of itself before a pixel is decoded; None if it is no picture, or too large."""
    if member.file_size > MAX_PICTURE_BYTES:  # no more than this is unpacked, whatever there is
        return None
    with suppress(*DAMAGE), archive.open(member) as file, Image.open(file, formats=FORMATS) as picture:
        width, height = picture.size
        if width * height > MAX_PIXELS:
            return None
        exif = picture.getexif() if len(picture.info.get("exif", b"")) <= MAX_EXIF_BYTES else Image.Exif()
        description, taken = exif.get(_DESCRIPTION), exif.get_ifd(_EXIF).get(_TAKEN)
        return {"width": width, "height": height, "description": _text(description), "taken_at": _moment(taken)}
    return None


def _text(value: object) -> str:
    """Keep what people can read, as much as a caption has."""
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable()).strip()[:500]


def _moment(value: object) -> str | None:
    try:
        return datetime.strptime(str(value)[:19], "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007 - a camera's clock
    except ValueError:
        return None
