"""What a file says about its picture before a pixel is decoded, and the limit it must keep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.pipelines.images import heic, png
from worker.pipelines.images.damage import explain
from worker.pipelines.images.formats import Format
from worker.pipelines.images.ifd import read_directory, read_layout
from worker.pipelines.images.libvips import load_libvips
from worker.pipelines.images.limits import check_memory, check_pixels

_SAMPLE_BYTES = {"uchar": 1, "ushort": 2, "float": 4}


@dataclass(frozen=True, slots=True)
class Header:
    """The picture as stored.

    ``turned`` says whether width and height swap, ``whole_bytes`` how much memory its pixels take at once where the
    file cannot be decoded row by row; ``exif`` and ``icc`` are the raw blocks.
    """

    width: int
    height: int
    turned: bool
    whole_bytes: int
    has_alpha: bool
    frames: int
    exif: bytes | None
    icc: bytes | None

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height as people see them."""
        return (self.height, self.width) if self.turned else (self.width, self.height)


def read_header(path: Path, kind: Format, max_pixels: int) -> Header:
    """Read the header of a file and refuse a picture of more than ``max_pixels``.

    Raises:
        PermanentError: the picture is too large, its metadata is a bomb, or the header cannot be read.
    """
    # libpng and libtiff call a silly size a bad header; people should hear what is wrong with it.
    claimed = {"png": png.size, "tiff": _tiff_size}.get(kind.name, lambda _: None)(path)
    if claimed is not None:
        check_pixels(*claimed, max_pixels)
    if kind.name == "png":
        png.check_metadata(path)
    header = _heic_header(path) if kind.name == "heic" else _vips_header(path, kind)
    check_pixels(header.width, header.height, max_pixels)
    check_memory(header.whole_bytes, max_pixels)
    return header


def _tiff_size(path: Path) -> tuple[int, int] | None:
    with path.open("rb") as file:
        layout = read_layout(file)
        tags = read_directory(file, layout, layout.first, (0x0100, 0x0101)) if layout else {}
    width, height = tags.get(0x0100), tags.get(0x0101)
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _vips_header(path: Path, kind: Format) -> Header:
    vips = load_libvips()
    try:
        image = vips.Image.new_from_file(str(path), access="sequential", fail_on="error")
    except vips.Error as error:
        raise explain(path, kind, error) from error

    def field(name: str) -> bytes | None:
        return bytes(image.get(name)) if image.get_typeof(name) else None

    orientation = image.get("orientation") if image.get_typeof("orientation") else 1
    return Header(
        width=image.width,
        height=image.height,
        # libheif turns the picture itself, by the container's own boxes, before libvips sees it.
        turned=kind.name != "avif" and orientation >= 5,
        whole_bytes=_whole_bytes(image, kind),
        has_alpha=bool(image.hasalpha()),
        frames=image.get("n-pages") if image.get_typeof("n-pages") else 1,
        exif=field("exif-data"),
        icc=field("icc-profile-data"),
    )


def _whole_bytes(image: Any, kind: Format) -> int:
    """Reckon what a decoder keeps of a file that it cannot decode row by row; measured, and rounded up.

    WebP is not among them: libwebp scales while it decodes.
    """
    pixels = image.width * image.height
    samples = pixels * image.bands * _SAMPLE_BYTES.get(image.format, 8)
    if kind.name == "gif":
        return int(4 * pixels)
    if kind.name == "avif":
        return int(samples + 2 * pixels)
    if kind.name == "png" and image.get_typeof("interlaced"):
        return int(samples)
    if kind.name == "jpeg" and image.get_typeof("jpeg-multiscan") and image.get("jpeg-multiscan"):
        # Coefficients of two bytes, of which 4:2:0 has half as many.
        subsampled = image.get_typeof("jpeg-chroma-subsample") and image.get("jpeg-chroma-subsample") == "4:2:0"
        return int(samples if subsampled else 2 * samples)
    return 0


def _heic_header(path: Path) -> Header:
    picture = heic.open_picture(path)
    width, height = picture.size
    return Header(
        width=width,
        height=height,
        turned=False,
        whole_bytes=width * height * (picture.bands * picture.sample_bytes + 2),
        has_alpha=picture.mode in ("RGBA", "RGBa", "LA"),
        frames=picture.frames,
        exif=picture.exif,
        icc=picture.icc,
    )
