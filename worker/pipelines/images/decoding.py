"""From a file to its largest rendition in memory: upright, sRGB, 8 bits, without any metadata."""

from pathlib import Path
from typing import Any

from worker.pipelines.images import heic
from worker.pipelines.images.colour import to_srgb
from worker.pipelines.images.damage import explain
from worker.pipelines.images.formats import Format
from worker.pipelines.images.header import Header
from worker.pipelines.images.libvips import load_libvips

#: What libjpeg warns of when pixels are lost; its other warnings (a stray byte, an unknown revision) are harmless.
_JPEG_DAMAGE = ("premature end of data segment", "bad Huffman code", "bad arithmetic code", "instead of RST")

#: Shrinking in the JPEG decoder leaves at least this much to the better filter; 24 megapixels decode in half the time.
_LEFT_TO_SHRINK = 1.25


def decode(path: Path, kind: Format, header: Header, longest_side: int) -> Any:
    """Decode once, shrunk while loading, to a libvips image of at most ``longest_side``; smaller ones are kept as is.

    Raises:
        PermanentError: the file is damaged or cut off.
        RetryableError: memory ran out.
    """
    vips = load_libvips()
    try:
        if kind.name == "jpeg":
            image = _decode_jpeg(vips, path, header, longest_side)
        elif kind.name == "heic":
            image = _fit(heic.open_picture(path).decode(), longest_side, no_rotate=True)
        else:
            image = vips.Image.thumbnail(
                str(path),
                longest_side,
                height=longest_side,
                size="down",
                fail_on="error",
                no_rotate=kind.name == "avif",
            ).copy_memory()
        return without_metadata(vips, to_srgb(image))
    except vips.Error as error:
        raise explain(path, kind, error) from error


def _decode_jpeg(vips: Any, path: Path, header: Header, longest_side: int) -> Any:
    longest, shortest = max(header.width, header.height), min(header.width, header.height)
    # A sliver would shrink to nothing in the decoder.
    room = min(longest / (longest_side * _LEFT_TO_SHRINK), shortest / 8)
    shrink = next((factor for factor in (8, 4, 2) if factor <= room), 1)

    def load(fail_on: str) -> Any:
        image = vips.Image.jpegload(str(path), shrink=shrink, access="sequential", fail_on=fail_on)
        return _fit(image, longest_side)

    try:
        return load("warning")
    except vips.Error as error:
        if any(sign in str(error) for sign in _JPEG_DAMAGE):
            raise
        return load("error")


def _fit(image: Any, longest_side: int, *, no_rotate: bool = False) -> Any:
    return image.thumbnail_image(longest_side, height=longest_side, size="down", no_rotate=no_rotate).copy_memory()


def without_metadata(vips: Any, image: Any) -> Any:
    """Copy the bare pixels of an image in sRGB, so that no saver can find anything else to write."""
    bare = vips.Image.new_from_memory(image.write_to_memory(), image.width, image.height, image.bands, "uchar")
    return bare.copy(interpretation="srgb")
