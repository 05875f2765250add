"""EXIF as data that may be published: what was photographed how, never where, by whose camera or by whom.

An allow-list: cameras, phones and editors invent tags faster than anyone can forbid them, and maker notes hide serial
numbers, faces and places. Names and meanings are those of CIPA DC-008 (Exif 3.0) and TIFF 6.0.
"""

import io
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from worker.pipelines.images.ifd import Value, read_directory, read_layout

#: Larger blocks are maker notes run wild.
MAX_EXIF_BYTES = 4 * 2**20

_EXIF_DIRECTORY = 0x8769

_MAIN_TAGS = {
    0x010E: "ImageDescription",
    0x010F: "Make",
    0x0110: "Model",
    0x0112: "Orientation",
    0x011A: "XResolution",
    0x011B: "YResolution",
    0x0128: "ResolutionUnit",
    0x0131: "Software",
    0x0132: "DateTime",
    0x8298: "Copyright",
}
_EXIF_TAGS = {
    0x829A: "ExposureTime",
    0x829D: "FNumber",
    0x8822: "ExposureProgram",
    0x8827: "PhotographicSensitivity",
    0x8830: "SensitivityType",
    0x9000: "ExifVersion",
    0x9003: "DateTimeOriginal",
    0x9004: "DateTimeDigitized",
    0x9010: "OffsetTime",
    0x9011: "OffsetTimeOriginal",
    0x9012: "OffsetTimeDigitized",
    0x9201: "ShutterSpeedValue",
    0x9202: "ApertureValue",
    0x9203: "BrightnessValue",
    0x9204: "ExposureBiasValue",
    0x9205: "MaxApertureValue",
    0x9206: "SubjectDistance",
    0x9207: "MeteringMode",
    0x9208: "LightSource",
    0x9209: "Flash",
    0x920A: "FocalLength",
    0x9290: "SubSecTime",
    0x9291: "SubSecTimeOriginal",
    0x9292: "SubSecTimeDigitized",
    0xA001: "ColorSpace",
    0xA002: "PixelXDimension",
    0xA003: "PixelYDimension",
    0xA20E: "FocalPlaneXResolution",
    0xA20F: "FocalPlaneYResolution",
    0xA210: "FocalPlaneResolutionUnit",
    0xA217: "SensingMethod",
    0xA401: "CustomRendered",
    0xA402: "ExposureMode",
    0xA403: "WhiteBalance",
    0xA404: "DigitalZoomRatio",
    0xA405: "FocalLengthIn35mmFilm",
    0xA406: "SceneCaptureType",
    0xA407: "GainControl",
    0xA408: "Contrast",
    0xA409: "Saturation",
    0xA40A: "Sharpness",
    0xA40C: "SubjectDistanceRange",
    0xA432: "LensSpecification",
    0xA433: "LensMake",
    0xA434: "LensModel",
    0xA460: "CompositeImage",
}
_WANTED = frozenset([*_MAIN_TAGS, *_EXIF_TAGS, _EXIF_DIRECTORY])


@dataclass(frozen=True, slots=True)
class Exif:
    """The publishable tags by name."""

    tags: dict[str, Any]

    @property
    def orientation(self) -> int:
        """How the picture lies, 1 to 8; 1 is upright, also where nothing is said."""
        value = self.tags.get("Orientation")
        return value if isinstance(value, int) and 1 <= value <= 8 else 1

    @property
    def taken_at(self) -> str | None:
        """When the picture was taken, as ISO 8601; without an offset it is the camera's own clock."""
        for suffix in ("Original", "Digitized"):
            moment = _moment(self.tags.get(f"DateTime{suffix}"), self.tags.get(f"OffsetTime{suffix}"))
            if moment is not None:
                return moment
        return None


def parse_exif(block: bytes | None) -> Exif:
    """Read an EXIF block, with or without its ``Exif`` preamble; a broken one gives what can be read."""
    if block is None or len(block) > MAX_EXIF_BYTES:
        return Exif({})
    return _read(io.BytesIO(block.removeprefix(b"Exif\0\0")))


def read_tiff_tags(path: Path) -> Exif:
    """Read the tags of a TIFF file, whose own directories they are."""
    with path.open("rb") as file:
        return _read(file)


def _read(file: BinaryIO) -> Exif:
    layout = read_layout(file)
    if layout is None:
        return Exif({})
    main = read_directory(file, layout, layout.first, _WANTED)
    offset = main.get(_EXIF_DIRECTORY)
    nested = read_directory(file, layout, offset, _EXIF_TAGS) if isinstance(offset, int) else {}
    values = {_MAIN_TAGS[tag]: value for tag, value in main.items() if tag in _MAIN_TAGS}
    # Some scanners put everything in the main directory.
    values |= {_EXIF_TAGS[tag]: value for tag, value in (main | nested).items() if tag in _EXIF_TAGS}
    return Exif({name: data for name, value in sorted(values.items()) if (data := _as_data(value)) is not None})


def _as_data(value: Value) -> Any:
    if isinstance(value, bytes):
        # ExifVersion is the only undefined value on the list: four digits.
        return value.decode("ascii") if value.isalnum() and value.isascii() else None
    if isinstance(value, tuple):
        return [_as_data(number) for number in value]
    return round(value, 6) if isinstance(value, float) else value


def _moment(moment: Any, offset: Any) -> str | None:
    if not isinstance(moment, str):
        return None
    try:
        taken = datetime.strptime(moment[:19], "%Y:%m:%d %H:%M:%S")  # noqa: DTZ007 - a camera knows no zone
    except ValueError:
        return None
    zone = offset if isinstance(offset, str) and re.fullmatch(r"[+-]\d\d:\d\d", offset) else ""
    return f"{taken.isoformat()}{zone}"
