"""Perceptual hashes: those of ImageHash, the same for the same picture, near for a copy, far for another one."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from tests.memory_job import MemoryJob
from tests.photos import jpeg_bytes, oriented, photograph, photographs
from worker.pipelines.image import image
from worker.pipelines.images.fingerprint import perceptual_hashes
from worker.pipelines.images.libvips import load_libvips

#: Bits that may differ between copies, in one of the hashes at least; see the docs.
NEAR = 10


def hashes_of(path: Path) -> dict[str, str]:
    job = MemoryJob(path, path.parent)
    image(job)
    found: dict[str, str] = job.results["hashes"]
    return found


def hashes(picture: Image.Image, folder: Path, **options: Any) -> dict[str, str]:
    """Have the pipeline hash a picture."""
    path = folder / "picture"
    picture.save(path, **({"format": "PNG"} | options))
    return hashes_of(path)


def distance(one: str, other: str) -> int:
    return (int(one, 16) ^ int(other, 16)).bit_count()


def as_vips(picture: Image.Image) -> Any:
    pixels = load_libvips().Image.new_from_memory(picture.tobytes(), picture.width, picture.height, 3, "uchar")
    return pixels.copy(interpretation="srgb")


def shrunk_hashes(picture: Image.Image) -> dict[str, str]:
    """Hash a picture as the pipeline does, without rendering it."""
    return perceptual_hashes(as_vips(picture).thumbnail_image(320, height=320, size="down"))


def pictures() -> list[Image.Image]:
    random = np.random.default_rng(7)
    noise = [Image.fromarray(random.integers(0, 256, (90, 120, 3), np.uint8)) for _ in range(40)]
    clouds = [each.resize((8, 6)).resize((320, 240), Image.Resampling.BICUBIC) for each in noise]
    return [photograph(path.stem).resize((320, 213)) for path in photographs()] + noise + clouds


def test_the_hashes_are_those_of_imagehash() -> None:
    """Bit for bit what the library that defines them gives, so that hashes from elsewhere can be compared."""
    for picture in pictures():
        assert perceptual_hashes(as_vips(picture)) == {
            "dhash": str(imagehash.dhash(picture)),
            "phash": str(imagehash.phash(picture)),
        }


@pytest.mark.parametrize("colour", ["black", "white", "grey", "red"])
def test_a_picture_of_one_colour_has_a_hash(colour: str) -> None:
    """Where nothing differs, the last bits of a number do not decide."""
    flat = perceptual_hashes(as_vips(Image.new("RGB", (320, 200), colour)))
    assert flat["dhash"] == "0" * 16
    assert flat["phash"] in ("0" * 16, "8" + "0" * 15)


def test_orientation_and_format_do_not_matter(tmp_path: Path) -> None:
    """The same picture, held sideways or saved losslessly in another format, has the same hashes."""
    upright = photograph("coffee")
    expected = hashes(upright, tmp_path)
    for orientation in range(1, 9):
        stored, exif = oriented(upright, orientation)
        assert hashes(stored, tmp_path, exif=exif) == expected
    for encoder in ({"format": "TIFF"}, {"format": "WEBP", "lossless": True}):
        assert hashes(upright, tmp_path, **encoder) == expected


def test_transparency_counts_as_white(tmp_path: Path) -> None:
    """A drawing cut out of its white background is the same drawing."""
    cut_out = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    ImageDraw.Draw(cut_out).ellipse((40, 30, 200, 150), "navy")
    drawn = Image.new("RGB", (300, 200), "white")
    drawn.paste(cut_out, mask=cut_out)
    assert hashes(cut_out, tmp_path) == hashes(drawn, tmp_path)


def _watermarked(picture: Image.Image) -> Image.Image:
    marked = picture.copy()
    size = picture.height // 10
    ImageDraw.Draw(marked).text((size, picture.height - 2 * size), "© Spotmill", "white", font_size=size)
    return marked


def _cropped(picture: Image.Image) -> Image.Image:
    x, y = picture.width // 50, picture.height // 50
    return picture.crop((x, y, picture.width - x, picture.height - y))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG of quality 50": lambda picture: Image.open(io.BytesIO(jpeg_bytes(picture, quality=50))),
    "half the size": lambda picture: picture.resize((picture.width // 2, picture.height // 2)),
    "20 % brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.2),
    "with a watermark": _watermarked,
    "2 % cropped off each side": _cropped,
}


@pytest.mark.parametrize("change", COPIES)
def test_copies_are_near_and_other_pictures_far(change: str) -> None:
    """What people do to a picture leaves one of its hashes near the original's, and both far from other pictures'."""
    originals = {path.stem: photograph(path.stem) for path in photographs()}
    known = {name: shrunk_hashes(picture) for name, picture in originals.items()}
    for name, picture in originals.items():
        copy = shrunk_hashes(COPIES[change](picture))
        near = {other for other in known if min(distance(copy[kind], known[other][kind]) for kind in copy) <= NEAR}
        assert near == {name}
