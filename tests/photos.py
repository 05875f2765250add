"""Real photographs, and the variants of them that cameras, phones and editors would make.

They come with scikit-image, which is never imported: only its data folder is read.
"""

import io
import struct
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()

#: In no published byte may any of these be found. They are planted by ``camera_exif`` and its like.
SECRETS = ("SN-4711-BODY", "SN-4711-LENS", "Olga Owner", "MakerSecret", "52.520008", "Berlin-Mitte", "olgas-phone")

#: Where ``camera_exif`` says the picture was taken: 52° 31' 12.03" N, 13° 24' 17.83" E.
GPS_BYTES = struct.pack("<6I", 52, 1, 31, 1, 1203, 100)

_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)

#: What turns a stored picture upright, by EXIF orientation (CIPA DC-008, 4.6.5.1), undone.
_STORED_AS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def photographs() -> list[Path]:
    """Name the photographs: seven of 300 to 1,400 pixels, JPEG and PNG, all of them free to use."""
    spec = find_spec("skimage")
    assert spec is not None, "scikit-image is not installed"
    assert spec.submodule_search_locations is not None
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return [folder / name for name in _PHOTOGRAPHS]


def photograph(name: str) -> Image.Image:
    """Open one of them by the start of its name."""
    path = next(path for path in photographs() if path.name.startswith(name))
    with Image.open(path) as opened:
        return opened.convert("RGB")


def oriented(picture: Image.Image, orientation: int) -> tuple[Image.Image, bytes]:
    """Store ``picture`` as a camera held like ``orientation`` would; give the pixels and the EXIF block."""
    turn = _STORED_AS[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return (picture if turn is None else picture.transpose(turn)), exif.tobytes()


def camera_exif(orientation: int = 1) -> bytes:
    """Make the EXIF block of a talkative camera: exposure, and every kind of secret."""
    exif = Image.Exif()
    exif[0x010F] = "Spotcam"
    exif[0x0110] = "Mark II"
    exif[0x0112] = orientation
    exif[0x0131] = "Firmware 1.2"
    exif[0x013B] = "Olga Owner"  # Artist
    exif[0x013C] = "olgas-phone"  # HostComputer
    exif[0x9C9D] = "Olga Owner".encode("utf-16-le")  # XPAuthor
    exif[0xC62F] = "SN-4711-BODY"  # CameraSerialNumber of DNG
    details: dict[int, Any] = {
        0x829A: 1 / 250,
        0x829D: 2.8,
        0x8827: 400,
        0x9000: b"0232",
        0x9003: "2024:05:01 12:34:56",
        0x9011: "+02:00",
        0x920A: 35.0,
        0x927C: b"MakerSecret" * 10,
        0x9286: b"ASCII\0\0\0Berlin-Mitte 52.520008",  # UserComment
        0xA430: "Olga Owner",
        0xA431: "SN-4711-BODY",
        0xA434: "Spotlens 35mm F2.8",
        0xA435: "SN-4711-LENS",
    }
    exif.get_ifd(0x8769).update(details)
    place: dict[int, Any] = {
        1: "N",
        2: (52.0, 31.0, 12.03),
        3: "E",
        4: (13.0, 24.0, 17.83),
        28: b"ASCII\0\0\0Berlin-Mitte",
    }
    exif.get_ifd(0x8825).update(place)
    return exif.tobytes()


def camera_xmp() -> bytes:
    """Make an XMP packet that repeats the secrets."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:aux="http://ns.adobe.com/exif/1.0/aux/" '
        b'exif:GPSLatitude="52.520008" aux:SerialNumber="SN-4711-BODY" aux:OwnerName="Olga Owner"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )


def matrix_profile(name: str, primaries: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """Make a colour profile of three primaries (columns of D50 XYZ) and a gamma (ICC.1:2001-04, 6.3.2)."""

    def s15(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: tuple[float, float, float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(s15(value) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    text = name.encode()
    description = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + bytes(1 + 4 + 4 + 2 + 1 + 67)
    red, green, blue = primaries
    tags = {
        b"desc": description,
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        b"rXYZ": xyz(red),
        b"gXYZ": xyz(green),
        b"bXYZ": xyz(blue),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += tag + struct.pack(">II", offset + len(body), len(data))
        body += padded
    head = struct.pack(">I4sI4s4s4s", offset + len(body), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + s15(0.9642) + s15(1.0) + s15(0.8249)
    return head.ljust(128, b"\0") + table + body


#: Adobe RGB (1998), 4.3.5.3: primaries adapted to D50, gamma 2.2.
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def jpeg_bytes(picture: Image.Image, **options: Any) -> bytes:
    """Encode a picture as JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", **options)
    return out.getvalue()


def large_photographs(folder: Path, count: int, size: tuple[int, int] = (6000, 4000)) -> Iterator[Path]:
    """Write photographs of a camera's size (24 megapixels unless told otherwise), each another one, with camera EXIF.

    Each is a mosaic of the real ones, enlarged, with the grain of a sensor: enlarging alone would leave no detail
    for the codecs to work on.
    """
    random = np.random.default_rng(24)
    grain = random.normal(0, 5, (1024, 1024, 3)).astype(np.int16)
    pieces = [photograph(path.stem) for path in photographs()]
    width, height = size
    piece = (-(-width // 3), -(-height // 2))
    rows, columns = -(-height // 1024), -(-width // 1024)
    sensor = np.tile(grain, (rows, columns, 1))[:height, :width]
    for number in range(count):
        mosaic = Image.new("RGB", size)
        for place in range(6):
            tile = ImageOps.fit(pieces[(place + number) % len(pieces)], piece, Image.Resampling.BICUBIC)
            mosaic.paste(tile, (place % 3 * piece[0], place // 3 * piece[1]))
        pixels = np.clip(np.asarray(mosaic, np.int16) + np.roll(sensor, 97 * number, axis=1), 0, 255).astype(np.uint8)
        path = folder / f"photograph-{number:04}.jpg"
        Image.fromarray(pixels).save(path, quality=92, subsampling=2, exif=camera_exif())
        yield path
