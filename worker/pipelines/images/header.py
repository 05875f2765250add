"""What a file says about its picture before a pixel is decoded, and the limit it must keep."""

from dataclasses import dataclass
from pathlib import Path

from spotmill import PermanentError
from worker.pipelines.images import heic, png
from worker.pipelines.images.damage import explain
from worker.pipelines.images.formats import Format
from worker.pipelines.images.ifd import read_directory, read_layout
from worker.pipelines.images.libvips import load_libvips


@dataclass(frozen=True, slots=True)
class Header:
    """The picture as stored. ``exif`` and ``icc`` are the raw blocks; ``turned`` says whether width and height swap."""

    width: int
    height: int
    turned: bool
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
    if kind.name == "png":
        # libpng and libtiff call a silly size a bad header; people should hear what is wrong with it.
        _check_size(png.size(path), max_pixels)
        png.check_metadata(path)
    elif kind.name == "tiff":
        _check_size(_tiff_size(path), max_pixels)
    header = _heic_header(path) if kind.name == "heic" else _vips_header(path, kind)
    _check_size((header.width, header.height), max_pixels)
    return header


def _check_size(size: tuple[int, int] | None, max_pixels: int) -> None:
    if size is None or size[0] * size[1] <= max_pixels:
        return
    width, height = size
    raise PermanentError(
        f"This picture is too large: {width:,} × {height:,} pixels are {_megapixels(width * height)} megapixels, "  # noqa: RUF001 - people read it
        f"and the limit is {_megapixels(max_pixels)}."
    )


def _megapixels(pixels: int) -> str:
    return f"{pixels / 1e6:,.0f}" if pixels >= 10e6 else f"{pixels / 1e6:,.2f}"


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
        has_alpha=bool(image.hasalpha()),
        frames=image.get("n-pages") if image.get_typeof("n-pages") else 1,
        exif=field("exif-data"),
        icc=field("icc-profile-data"),
    )


def _heic_header(path: Path) -> Header:
    picture = heic.open_picture(path)
    return Header(
        width=picture.size[0],
        height=picture.size[1],
        turned=False,
        has_alpha=picture.mode in ("RGBA", "RGBa", "LA"),
        frames=picture.frames,
        exif=picture.exif,
        icc=picture.icc,
    )
