"""What cannot be rendered is refused at once, in a sentence that the person who uploaded it understands."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from spotmill import PermanentError, RetryableError
from tests.memory_job import MemoryJob
from tests.photos import photograph
from worker.pipelines.image import image
from worker.pipelines.images.damage import explain
from worker.pipelines.images.formats import FORMATS
from worker.pipelines.images.limits import check_memory, check_pixels

SAVE_AS = "which cannot be processed. Save it as JPEG or PNG and upload that."
SVG = b'<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg xmlns="http://www.w3.org/2000/svg"><rect width="9"/></svg>'
ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w") as archive:
    archive.writestr("a.txt", "a")

STRANGERS = [
    ("notes.jpg", b"Dear all,\nplease find attached\n", "This file is named .jpg but contains text, not an image."),
    ("notes.JPG", b"BMW and others", "This file is named .jpg but contains text, not an image."),
    ("notes.png", "Grüße aus Köln".encode("cp1252"), "This file is named .png but contains text, not an image."),
    ("notes.png", "Grüße aus Köln".encode("utf-16"), "This file is named .png but contains text, not an image."),
    ("notes.txt", b"Dear all", "This file contains text, not an image."),
    ("page.gif", b"<!DOCTYPE html><html>", "This file is named .gif but contains a web page, not an image."),
    ("a.webp", b"%PDF-1.7\n%\xe2\xe3", "This file is named .webp but contains a PDF document, not an image."),
    (
        "a.heic",
        ZIP.getvalue(),
        "This file is named .heic but contains a ZIP archive or an office document, not an image.",
    ),
    ("a.avif", b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "This file is named .avif but contains a video, not an image."),
    ("a.jpg", b"RIFF\x24\x08\0\0WAVEfmt ", "This file is named .jpg but contains audio, not an image."),
    ("a.jpg", b"RIFF\x24\x08\0\0AVI LIST", "This file is named .jpg but contains a video, not an image."),
    ("a.jpeg", bytes(5000), "This file is named .jpeg but contains data of an unknown kind, not an image."),
    ("a.tif", b"\x7fELF\2\1\1", "This file is named .tif but contains a program, not an image."),
    (
        "logo.svg",
        SVG,
        f"This file is named .svg but contains an SVG drawing, {SAVE_AS}",
    ),
    (
        "<script>.jpg",
        b"8BPS\0\1",
        f"This file is named .jpg but contains a Photoshop document, {SAVE_AS}",
    ),
    (
        "a.cr2",
        b"II*\0\x10\0\0\0CR\2\0",
        "This CR2 file is cut off: it ends before the picture is complete. Upload the original again.",
    ),
    (
        "a.DNG",
        b"II*\0\0\x10\0\0" + bytes(100),
        "This DNG file is cut off: it ends before the picture is complete. Upload the original again.",
    ),
    ("empty.jpg", b"", "This file is empty."),
]


def refusal(path: Path, filename: str | None = None) -> str:
    job = MemoryJob(path, path.parent, filename=filename)
    with pytest.raises(PermanentError) as refused:
        image(job)
    assert not job.artifacts
    return str(refused.value)


@pytest.mark.parametrize(("filename", "data", "sentence"), STRANGERS, ids=range(len(STRANGERS)))
def test_strangers_are_named(tmp_path: Path, filename: str, data: bytes, sentence: str) -> None:
    """A file that is no image, or none that is read here, is told what it is."""
    path = tmp_path / "source"
    path.write_bytes(data)
    assert refusal(path, filename) == sentence


@pytest.mark.parametrize(
    ("sides", "max_pixels", "sentence"),
    [
        ((4000, 3000), 100, "12,000,000 in all, and the limit is 100."),
        ((4000, 3000), 9_000_000, "12 megapixels, and the limit is 9.00."),
        ((4000, 3001), 12_000_000, "12,004,000 in all, and the limit is 12,000,000."),
    ],
)
def test_a_picture_above_the_limit_is_told_in_numbers_that_differ(
    sides: tuple[int, int], max_pixels: int, sentence: str
) -> None:
    """Megapixels are left where they are rounded to nothing, or to the same."""
    with pytest.raises(PermanentError) as refused:
        check_pixels(*sides, max_pixels)
    assert str(refused.value).endswith(f" pixels are {sentence}")


def test_a_small_limit_of_memory_is_not_rounded_to_nothing() -> None:
    """Gigabytes are for the usual limit."""
    with pytest.raises(PermanentError, match=r"take 6\.0 MB of memory at once, and the limit is 4\.0 MB\."):
        check_memory(6_000_000, max_pixels=1_000_000)


def test_the_name_of_a_raw_file_is_not_what_gives_it_away(tmp_path: Path) -> None:
    """A camera's raw file that is a TIFF by its first bytes is told by its tags."""
    info = ImageFileDirectory_v2()
    info[254] = 1  # a reduced version of another image in the file: the camera's preview
    Image.new("RGB", (160, 120)).save(tmp_path / "raw.tif", tiffinfo=info)
    assert refusal(tmp_path / "raw.tif", "DSC_0001.nef").startswith("This camera raw file comes from a camera, or is")


ENCODERS: dict[str, dict[str, Any]] = {
    "JPEG": {"format": "JPEG"},
    "JPEG progressive": {"format": "JPEG", "progressive": True},
    "PNG": {"format": "PNG"},
    "WebP": {"format": "WEBP"},
    "WebP lossless": {"format": "WEBP", "lossless": True},
    "TIFF": {"format": "TIFF"},
    "TIFF deflate": {"format": "TIFF", "compression": "tiff_adobe_deflate"},
    "GIF": {"format": "GIF"},
    "AVIF": {"format": "AVIF"},
    "HEIC": {"format": "HEIF"},
}


def encoded(name: str) -> bytes:
    out = io.BytesIO()
    photograph("astronaut").save(out, **ENCODERS[name])
    return out.getvalue()


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("name", ENCODERS)
def test_files_that_were_cut_off_say_so(tmp_path: Path, name: str, share: float) -> None:
    """A file whose end is missing, as after a broken upload, is never rendered grey; it is asked for again."""
    data = encoded(name)
    path = tmp_path / "source"
    path.write_bytes(data[: int(len(data) * share)])
    label = name.partition(" ")[0]
    assert refusal(path) == (
        f"This {label} file is cut off: it ends before the picture is complete. Upload the original again."
    )


@pytest.mark.parametrize("name", ["JPEG", "JPEG progressive", "PNG", "GIF", "AVIF"])
def test_damaged_files_say_so(tmp_path: Path, name: str) -> None:
    """Bytes overwritten in the middle are noticed by every format that can notice them."""
    data = bytearray(encoded(name))
    half = len(data) // 2
    data[half : half + 300] = np.random.default_rng(0).integers(0, 256, 300, np.uint8).tobytes()
    path = tmp_path / "source"
    path.write_bytes(data)
    assert refusal(path) == f"This {name.partition(' ')[0]} file is damaged and cannot be read."


@pytest.mark.parametrize("name", ENCODERS)
def test_a_bare_beginning_is_refused(tmp_path: Path, name: str) -> None:
    """A right first few bytes and nothing behind them are refused in words, too."""
    for length in (16, 40, 60):
        path = tmp_path / f"source-{length}"
        path.write_bytes(encoded(name)[:length])
        assert refusal(path).startswith(f"This {name.partition(' ')[0]} file is ")


@pytest.mark.parametrize("rendition", ["web-1600.webp", "thumbnail.jpg"])
def test_a_full_disk_is_not_the_files_fault(tmp_path: Path, rendition: str) -> None:
    """Where nothing can be written the job fails as on any full disk, and is tried again elsewhere."""
    path = tmp_path / "photo.jpg"
    photograph("astronaut").save(path)
    (tmp_path / rendition).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        image(MemoryJob(path, tmp_path))


def test_a_full_disk_while_decoding_is_not_damage(tmp_path: Path) -> None:
    """What a decoder cannot put on disk says nothing about the file."""
    error = Exception("unable to call thumbnail\n  temp-1: write error\nsystem error: No space left on device")
    explained = explain(tmp_path / "photo.png", FORMATS["png"], error)
    assert isinstance(explained, RetryableError)
    assert str(explained) == "The worker's disk is full."
