"""Pictures stand upright, whichever way the camera was held."""

from pathlib import Path
from typing import Any

import pytest

from tests.memory_job import MemoryJob
from tests.photos import oriented, photograph
from tests.pixels import difference, opened
from worker.pipelines.image import image

ENCODERS: dict[str, dict[str, Any]] = {
    "jpg": {"format": "JPEG", "quality": 95},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "quality": 95},
    "tif": {"format": "TIFF"},
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("extension", ENCODERS)
def test_every_orientation_is_undone(tmp_path: Path, extension: str, orientation: int) -> None:
    """All eight orientations give the same upright picture, in every format that carries EXIF."""
    upright = photograph("coffee")
    stored, exif = oriented(upright, orientation)
    path = tmp_path / f"photo.{extension}"
    stored.save(path, exif=exif, **ENCODERS[extension])
    job = MemoryJob(path, tmp_path)
    image(job)
    assert (job.results["width"], job.results["height"]) == upright.size
    assert job.results["orientation"] == orientation
    for kind in ("web-1600", "web-320", "thumbnail"):
        assert difference(opened(job.artifacts[kind].data), upright) < 6, kind


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("extension", "encoder"), [("avif", "AVIF"), ("heic", "HEIF")])
def test_turns_of_the_container_are_applied_once(
    tmp_path: Path, extension: str, encoder: str, orientation: int
) -> None:
    """HEIC and AVIF turn by their own boxes: the result is upright, and never turned a second time by EXIF."""
    upright = photograph("coffee")
    stored, exif = oriented(upright, orientation)
    path = tmp_path / f"photo.{extension}"
    stored.save(path, encoder, exif=exif, quality=90)
    job = MemoryJob(path, tmp_path)
    image(job)
    assert (job.results["width"], job.results["height"]) == upright.size
    assert difference(opened(job.artifacts["web-1600"].data), upright) < 6


def test_large_photographs_are_turned_while_they_are_shrunk(tmp_path: Path) -> None:
    """A sideways photograph that the JPEG decoder shrinks comes out upright and in shape."""
    upright = photograph("rocket").resize((4200, 2800))
    stored, exif = oriented(upright, 6)
    path = tmp_path / "photo.jpg"
    stored.save(path, exif=exif, quality=90)
    job = MemoryJob(path, tmp_path)
    image(job)
    assert (job.results["width"], job.results["height"]) == (4200, 2800)
    assert job.artifacts["web-1600"].metadata == {"width": 1600, "height": 1067}
    assert difference(opened(job.artifacts["web-1600"].data), upright) < 6
