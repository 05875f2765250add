"""Files made to hurt: tiny on disk, enormous to whoever believes them."""

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from tests.photos import jpeg_bytes, photograph


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Make one chunk."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, extra: bytes = b"", pixels: bytes = b"") -> bytes:
    """Make a PNG of 8-bit RGB with whatever chunks before its picture."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def png_pixels() -> bytes:
    """900 honest megapixels: 2.7 GB of black in 2.6 MB."""
    rows, row_bytes = 30000, 1 + 30000 * 3
    packer = zlib.compressobj(9, wbits=-15)
    # A full flush lets the same packed rows follow each other: packing all of them takes half a minute.
    hundred_rows = packer.compress(bytes(100 * row_bytes)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = struct.pack(">HH", rows * row_bytes % 65521, 1)  # Adler-32 of zeros
    return png(30000, 30000, pixels=b"\x78\xda" + hundred_rows * (rows // 100) + packer.flush() + checksum)


def png_impossible() -> bytes:
    return png(2**31 - 1, 2**31 - 1, pixels=b"x")


def png_interlaced() -> bytes:
    """225 megapixels of 16-bit RGBA whose rows come in seven rounds: 1.8 GB to be held at once."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 15000, 15000, 16, 6, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + png_chunk(b"IDAT", _black()) + png_chunk(b"IEND", b"")


def jpeg_progressive() -> bytes:
    """225 megapixels without subsampling: 1.35 GB of coefficients."""
    data = bytearray(jpeg_bytes(Image.new("RGB", (16, 16)), progressive=True, subsampling=0))
    at = data.index(b"\xff\xc2")
    data[at + 5 : at + 9] = struct.pack(">HH", 15000, 15000)
    return bytes(data)


def png_profile() -> bytes:
    return png(10, 10, extra=png_chunk(b"iCCP", b"p\0\0" + _deflated(100)), pixels=_black())


def png_text() -> bytes:
    """Forty texts of 50 MB each: libpng would keep them all."""
    text = _deflated(50)
    return png(10, 10, extra=b"".join(png_chunk(b"zTXt", b"k%d\0\0" % n + text) for n in range(40)), pixels=_black())


def png_xmp() -> bytes:
    return png(10, 10, extra=png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + _deflated(50)), pixels=_black())


def gif_pixels() -> bytes:
    palette = bytes(3) + b"\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x02\x02\x4c\x01\x00\x3b"
    return b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0x80, 0, 0) + palette + frame


def tiff(width: int, height: int) -> bytes:
    """Make a TIFF of 8-bit grey whose single strip is 64 bytes, whatever its size says."""
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 64)]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<I", 72) + bytes(64) + struct.pack("<H", len(entries)) + table + bytes(4)


def jpeg_pixels() -> bytes:
    data = bytearray(jpeg_bytes(Image.new("RGB", (16, 16))))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65500, 65500)
    return bytes(data)


def jpeg_scans() -> bytes:
    """16 megapixels whose last scan is repeated a thousand times, each to be walked over the whole picture."""
    data = jpeg_bytes(Image.new("RGB", (4000, 4000)), progressive=True)
    last = data.rfind(b"\xff\xc4", 0, data.rfind(b"\xff\xda"))
    return data[:-2] + data[last:-2] * 1000 + b"\xff\xd9"


def webp_pixels() -> bytes:
    """The largest WebP there is: 16,383 pixels each way."""
    data = bytearray(_encoded("WEBP"))
    data[26:30] = struct.pack("<HH", 16383, 16383)
    return bytes(data)


def avif_pixels() -> bytes:
    return _boasting(_encoded("AVIF"))


def heic_pixels() -> bytes:
    return _boasting(_encoded("HEIF"))


def exif_overlap() -> bytes:
    """A block of EXIF whose 60,000 entries all point at the same four megabytes."""
    entry = struct.pack("<HHII", 0x010F, 2, 4_000_000, 0)
    block = b"II*\0" + struct.pack("<IH", 8, 60000) + entry * 60000 + bytes(4_000_000)
    return png(10, 10, extra=png_chunk(b"eXIf", block), pixels=_black())


BOMBS: dict[str, Callable[[], bytes]] = {
    "pixels.png": png_pixels,
    "impossible.png": png_impossible,
    "whole.png": png_interlaced,
    "whole.jpg": jpeg_progressive,
    "profile.png": png_profile,
    "text.png": png_text,
    "xmp.png": png_xmp,
    "pixels.gif": gif_pixels,
    "pixels.tif": lambda: tiff(60000, 60000),
    "impossible.tif": lambda: tiff(2**32 - 1, 2**32 - 1),
    "pixels.jpg": jpeg_pixels,
    "scans.jpg": jpeg_scans,
    "pixels.webp": webp_pixels,
    "pixels.avif": avif_pixels,
    "pixels.heic": heic_pixels,
}


def _black() -> bytes:
    return zlib.compress(bytes(10 * 31))


def _deflated(megabytes: int) -> bytes:
    return zlib.compress(bytes(megabytes * 1_000_000), 6)


def _encoded(kind: str) -> bytes:
    out = io.BytesIO()
    photograph("astronaut").save(out, kind)
    return out.getvalue()


def _boasting(data: bytes) -> bytes:
    """Have the image spatial extents (ISO/IEC 23008-12, 6.5.3) say 30,000 × 30,000."""  # noqa: RUF002 - a size
    out = bytearray(data)
    at = out.index(b"ispe")
    out[at + 8 : at + 16] = struct.pack(">II", 30000, 30000)
    return bytes(out)
