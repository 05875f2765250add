"""The files that are published for an image."""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.pipelines.images.formats import FORMATS, Format
from worker.pipelines.images.libvips import load_libvips

THUMBNAIL_SIDE = 100
WEB_SIDES = (1600, 320)


@dataclass(frozen=True, slots=True)
class Rendition:
    """One published file, and the libvips image in it. ``kind`` is the artifact's."""

    kind: str
    path: Path
    content_type: str
    picture: Any

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return int(self.picture.width)

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return int(self.picture.height)


def write_renditions(picture: Any, source: Format, folder: Path, webp: Mapping[str, int]) -> list[Rendition]:
    """Write every rendition of ``picture`` (its largest, as ``decode`` returns it), each made from the one before.

    ``webp`` are the web renditions' ``Q`` and ``effort``.

    Raises:
        OSError: the disk is full.
    """
    web = FORMATS["webp"]
    written = []
    for side in WEB_SIDES:
        picture = _shrink(picture, side)
        written.append(_write(picture, f"web-{side}", web, folder, webp))
    thumbnail = FORMATS[source.thumbnail]
    picture = _shrink(picture, THUMBNAIL_SIDE)
    written.append(_write(picture, "thumbnail", thumbnail, folder, webp if thumbnail is web else {}))
    return written


def _shrink(picture: Any, side: int) -> Any:
    if max(picture.width, picture.height) <= side:
        return picture
    return picture.thumbnail_image(side, height=side, size="down").copy_memory()


def _write(picture: Any, kind: str, target: Format, folder: Path, options: Mapping[str, int]) -> Rendition:
    path = folder / f"{kind}.{target.extension}"
    try:
        _save(picture, path, target, options)
    except load_libvips().Error as error:
        if os.strerror(errno.ENOSPC) in str(error):  # libvips has no other way to say it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    return Rendition(kind, path, target.content_type, picture)


def _save(picture: Any, path: Path, target: Format, options: Mapping[str, int]) -> None:
    match target.name:
        case "jpeg":
            picture.jpegsave(str(path), Q=85, optimize_coding=True, keep="none")
        case "png":
            picture.pngsave(str(path), keep="none")
        case "webp":
            picture.webpsave(str(path), keep="none", **options)
        case "avif":
            picture.heifsave(str(path), compression="av1", Q=65, effort=4, keep="none")
        case "tiff":
            picture.tiffsave(str(path), compression="deflate", predictor="horizontal", keep="none")
        case "gif":
            picture.gifsave(str(path), keep="none")
        case _:
            raise ValueError(f"nothing writes {target.label}")
