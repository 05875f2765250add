"""HEIC through pillow-heif, because the libvips wheel cannot decode HEVC."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from worker.pipelines.images.damage import explain
from worker.pipelines.images.formats import FORMATS
from worker.pipelines.images.libvips import load_libvips

_BANDS = {"L": 1, "I": 1, "LA": 2, "RGB": 3, "RGBA": 4, "RGBa": 4}


@dataclass(frozen=True, slots=True)
class HeicPicture:
    """The primary picture of a HEIC file, upright as libheif turns it by the container's boxes; decoded on demand.

    ``mode`` is Pillow's, with ``;16`` for more than 8 bits.
    """

    path: Path
    handle: Any
    frames: int
    exif: bytes | None
    icc: bytes | None

    @property
    def size(self) -> tuple[int, int]:
        width, height = self.handle.size
        return width, height

    @property
    def mode(self) -> str:
        return str(self.handle.mode)

    @property
    def bands(self) -> int:
        return _BANDS[self.mode.partition(";")[0]]

    @property
    def sample_bytes(self) -> int:
        return 2 if ";" in self.mode else 1

    def decode(self) -> Any:
        """Decode to a libvips image that carries the colour profile.

        Raises:
            PermanentError: the file is damaged or cut off.
            RetryableError: memory ran out.
        """
        vips = load_libvips()
        width, height = self.size
        try:
            pixels = self.handle.data
        except (ValueError, EOFError, SyntaxError, RuntimeError, OSError) as error:
            raise explain(self.path, FORMATS["heic"], error) from error
        band_format = "ushort" if self.sample_bytes == 2 else "uchar"
        image = vips.Image.new_from_memory(pixels, width, height, self.bands, band_format)
        image = image.copy(interpretation=_interpretation(self.bands, deep=self.sample_bytes == 2))
        if self.mode.startswith("RGBa"):
            image = image.unpremultiply().cast(image.format)
        if self.icc:
            image.set_type(vips.GValue.blob_type, "icc-profile-data", self.icc)
        return image


def open_picture(path: Path) -> HeicPicture:
    """Read the header of a HEIC file.

    Raises:
        PermanentError: the file is damaged or cut off.
    """
    try:
        file = load_libheif().open_heif(path)
    except (ValueError, EOFError, SyntaxError, RuntimeError, OSError) as error:
        raise explain(path, FORMATS["heic"], error) from error
    handle = file[file.primary_index]
    return HeicPicture(path, handle, len(file), handle.info.get("exif"), handle.info.get("icc_profile"))


@cache
def load_libheif() -> Any:
    """Import pillow-heif and return it, told to read the picture alone and to use our share of the cores."""
    import pillow_heif  # noqa: PLC0415 - the web and the dispatcher have no libheif

    pillow_heif.options.THUMBNAILS = False
    pillow_heif.options.DEPTH_IMAGES = False
    pillow_heif.options.AUX_IMAGES = False
    pillow_heif.options.DECODE_THREADS = int(os.environ.get("VIPS_CONCURRENCY") or 1)
    return pillow_heif


def _interpretation(bands: int, *, deep: bool) -> str:
    if bands <= 2:
        return "grey16" if deep else "b-w"
    return "rgb16" if deep else "srgb"
