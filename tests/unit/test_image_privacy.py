"""Nothing that is published says where a picture was taken, by whose camera, or by whom."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tests.memory_job import MemoryJob
from tests.photos import GPS_BYTES, SECRETS, camera_exif, camera_xmp, photograph
from tests.pixels import opened
from worker.pipelines.image import image


def text_chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for number, secret in enumerate(SECRETS):
        info.add_text(f"Comment{number}", secret, zip=bool(number % 2))
        info.add_itxt(f"Note{number}", secret, zip=bool(number % 2))
    return info


TALKATIVE: dict[str, dict[str, Any]] = {
    "photo.jpg": {
        "format": "JPEG",
        "exif": camera_exif(),
        "xmp": camera_xmp(),
        "comment": " ".join(SECRETS).encode(),
    },
    "photo.png": {"format": "PNG", "exif": camera_exif(), "pnginfo": text_chunks()},
    "photo.webp": {"format": "WEBP", "exif": camera_exif(), "xmp": camera_xmp()},
    "photo.avif": {"format": "AVIF", "exif": camera_exif(), "xmp": camera_xmp()},
    "photo.heic": {"format": "HEIF", "exif": camera_exif(), "xmp": camera_xmp()},
    "photo.tif": {
        "format": "TIFF",
        "exif": camera_exif(),
        "tiffinfo": {
            270: "A quiet street",
            315: "Olga Owner",
            316: "olgas-phone",
            700: camera_xmp(),
            50735: "SN-4711-BODY",
        },
    },
    "photo.gif": {"format": "GIF", "comment": " ".join(SECRETS).encode()},
}


@pytest.mark.parametrize("name", TALKATIVE)
def test_no_secret_is_published(tmp_path: Path, name: str) -> None:
    """Neither a published file nor the result has any byte of location, serial number, owner or maker note."""
    path = tmp_path / name
    photograph("rocket").save(path, **TALKATIVE[name])
    stored = path.read_bytes()
    assert any(secret.encode() in stored for secret in SECRETS), "the source is not as talkative as it should be"
    job = MemoryJob(path, tmp_path)
    image(job)
    published = [made.data for made in job.artifacts.values()] + [json.dumps(job.results).encode()]
    assert len(published) == 4
    for data in published:
        assert GPS_BYTES not in data
        for secret in SECRETS:
            for form in (secret.encode(), secret.encode("utf-16-le")):
                assert form not in data, secret


@pytest.mark.parametrize("name", TALKATIVE)
def test_published_files_carry_no_metadata(tmp_path: Path, name: str) -> None:
    """Another reader than the writer finds no EXIF, XMP, IPTC, comment or text in what is published."""
    path = tmp_path / name
    photograph("rocket").save(path, **TALKATIVE[name])
    job = MemoryJob(path, tmp_path)
    image(job)
    for made in job.artifacts.values():
        picture = opened(made.data)
        tags = {tag for tag in picture.getexif() if tag not in LAYOUT_TAGS}
        assert not tags, (made.kind, tags)
        assert not {"xmp", "XML:com.adobe.xmp", "comment", "photoshop", "iptc", "exif"} & picture.info.keys(), made.kind
        assert not getattr(picture, "text", {}), made.kind


#: How a TIFF lays out its pixels, which Pillow lists beside EXIF.
LAYOUT_TAGS = {256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 282, 283, 284, 296, 317, 338, 339}


def test_exif_is_given_as_data(tmp_path: Path) -> None:
    """Exposure, camera, lens and time come through under their names in the standard."""
    path = tmp_path / "photo.jpg"
    photograph("rocket").save(path, exif=camera_exif())
    job = MemoryJob(path, tmp_path)
    image(job)
    assert job.results["exif"] == {
        "DateTimeOriginal": "2024:05:01 12:34:56",
        "ExifVersion": "0232",
        "ExposureTime": 0.004,
        "FNumber": 2.8,
        "FocalLength": 35.0,
        "LensModel": "Spotlens 35mm F2.8",
        "Make": "Spotcam",
        "Model": "Mark II",
        "OffsetTimeOriginal": "+02:00",
        "Orientation": 1,
        "PhotographicSensitivity": 400,
        "Software": "Firmware 1.2",
    }
    assert job.results["taken_at"] == "2024-05-01T12:34:56+02:00"


def test_without_exif_nothing_is_invented(tmp_path: Path) -> None:
    """A picture that says nothing of itself has empty EXIF and no time."""
    path = tmp_path / "photo.jpg"
    Image.new("RGB", (64, 48)).save(path)
    job = MemoryJob(path, tmp_path)
    image(job)
    assert job.results["exif"] == {}
    assert "taken_at" not in job.results
