"""Camera raw files through LibRaw: the camera's own preview where it is large enough, else the sensor's values."""

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spotmill import PermanentError, RetryableError
from worker.pipelines.images.camera_files import has_every_colour
from worker.pipelines.images.damage import explain
from worker.pipelines.images.formats import Format
from worker.pipelines.images.limits import check_memory, check_pixels

#: Bytes that LibRaw takes for each of the sensor's pixels, measured and rounded up: developed at half size, at full
#: size, and where each has all three colours.
_HALF_BYTES, _FULL_BYTES, _COLOUR_BYTES = 5, 16, 20

#: EXIF orientation (CIPA DC-008, 4.6.5.1) by LibRaw's flip: 1 mirrors, 2 turns upside down, 4 transposes.
_ORIENTATIONS = (1, 2, 4, 3, 5, 8, 6, 7)

#: sRGB's curve as LibRaw takes it: an exponent, and the slope near black (IEC 61966-2-1).
_SRGB_CURVE = (2.4, 12.92)


@dataclass(frozen=True, slots=True)
class RawPicture:
    """What LibRaw says of a raw file: the camera's picture as the sensor stores it, and how to turn it upright.

    ``left`` and ``top`` say where it begins within what the sensor sees, ``sensor`` is all of the sensor.
    """

    path: Path
    kind: Format
    width: int
    height: int
    left: int
    top: int
    sensor: tuple[int, int]
    orientation: int

    @property
    def turned(self) -> bool:
        """Whether width and height swap."""
        return self.orientation >= 5

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as people see them."""
        return (self.height, self.width) if self.turned else (self.width, self.height)

    def preview(self) -> bytes | None:
        """Return the largest preview if it is a JPEG; LibRaw adds EXIF with the sensor's orientation to a bare one."""
        rawpy = load_libraw()
        try:
            with rawpy.imread(str(self.path)) as raw:
                preview = raw.extract_thumb()
                return bytes(preview.data) if preview.format == rawpy.ThumbFormat.JPEG else None
        except (rawpy.LibRawError, rawpy.NotSupportedError, NotImplementedError, OSError, MemoryError):
            return None

    def develop(self, longest_side: int, max_pixels: int) -> Any:
        """Develop the sensor's values as sRGB of 8 bits: white balance of the camera, brightened until 1 % is white.

        At half size, two by two of the sensor's pixels becoming one, where that leaves ``longest_side``: nothing is
        interpolated, in a fifth of the time. As the sensor stores it: still to be turned. An array of rows.

        Raises:
            PermanentError: the file is damaged or cut off, too large, or in a way that LibRaw does not know.
            RetryableError: memory ran out.
        """
        rawpy = load_libraw()
        half = max(self.width, self.height) // 2 >= longest_side
        pixel_bytes = _COLOUR_BYTES if has_every_colour(self.path) else _HALF_BYTES if half else _FULL_BYTES
        check_memory(pixel_bytes * self.sensor[0] * self.sensor[1], max_pixels)
        try:
            with rawpy.imread(str(self.path)) as raw:
                seen = raw.sizes.height
                rows = raw.postprocess(half_size=half, use_camera_wb=True, user_flip=0, gamma=_SRGB_CURVE, output_bps=8)
        except (rawpy.LibRawError, rawpy.NotSupportedError, OSError, MemoryError) as error:
            raise _explain(self.path, self.kind, error) from error
        return self._cropped(rows, 2 if rows.shape[0] * 4 < seen * 3 else 1)

    def _cropped(self, rows: Any, factor: int) -> Any:
        left, top, width, height = (value // factor for value in (self.left, self.top, self.width, self.height))
        return rows[top : top + height, left : left + width]


def open_picture(path: Path, kind: Format, max_pixels: int) -> RawPicture:
    """Read what a raw file says of its picture.

    Raises:
        PermanentError: the picture is too large, the file is damaged or cut off, or LibRaw does not know it.
    """
    rawpy = load_libraw()
    try:
        with rawpy.imread(str(path)) as raw:
            sizes = raw.sizes
    except (rawpy.LibRawError, rawpy.NotSupportedError, OSError, MemoryError) as error:
        raise _explain(path, kind, error) from error
    check_pixels(sizes.raw_width, sizes.raw_height, max_pixels)
    left, top = sizes.crop_left_margin - sizes.left_margin, sizes.crop_top_margin - sizes.top_margin
    width, height = sizes.crop_width, sizes.crop_height
    fits = left >= 0 and top >= 0 and left + width <= sizes.width and top + height <= sizes.height
    if not (width and height and fits):
        left, top, width, height = 0, 0, sizes.width, sizes.height
    orientation = _ORIENTATIONS[sizes.flip & 7]
    return RawPicture(path, kind, width, height, left, top, (sizes.raw_width, sizes.raw_height), orientation)


@cache
def load_libraw() -> Any:
    """Import rawpy and return it, told to use our share of the cores."""
    threads = os.environ.get("OMP_NUM_THREADS")
    # Its OpenMP reads this once, now; other libraries of this process shall not find it.
    os.environ["OMP_NUM_THREADS"] = os.environ.get("VIPS_CONCURRENCY") or "1"
    try:
        import rawpy  # noqa: PLC0415 - it brings NumPy: 0.2 s that only raw files are worth
    finally:
        if threads is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = threads
    return rawpy


def _explain(path: Path, kind: Format, error: Exception) -> PermanentError | RetryableError:
    rawpy = load_libraw()
    if isinstance(error, rawpy.LibRawUnsufficientMemoryError):
        return explain(path, kind, MemoryError(str(error)))
    if isinstance(error, rawpy.LibRawTooBigError | rawpy.LibRawMemPoolOverflowError):
        return PermanentError(f"This {kind.label} file is refused: decoding it would take too much memory.")
    explained = explain(path, kind, error)
    unknown = isinstance(error, rawpy.LibRawFileUnsupportedError | rawpy.LibRawNotImplementedError)
    if unknown and isinstance(explained, PermanentError) and "cut off" not in str(explained):
        return PermanentError(
            f"This {kind.label} file comes from a camera, or is packed in a way, that cannot be read here. "
            "Save it as JPEG or PNG and upload that."
        )
    return explained
