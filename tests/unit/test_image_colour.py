"""Whatever a file's colours are measured in, what is published is sRGB."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.memory_job import MemoryJob
from tests.photos import ADOBE_RGB, matrix_profile, photograph
from tests.pixels import difference, middle, opened
from worker.pipelines.image import image
from worker.pipelines.images.libvips import load_libvips

RED = (200, 50, 50)
SIZE = (400, 300)


def render(path: Path) -> MemoryJob:
    job = MemoryJob(path, path.parent)
    image(job)
    return job


def published_colour(path: Path) -> tuple[int, ...]:
    return middle(opened(render(path).artifacts["web-1600"].data))


def red_in(space: str, **options: Any) -> Any:
    """A libvips image of the red in another colour space, its profile embedded."""
    vips = load_libvips()
    red = (vips.Image.black(*SIZE, bands=3) + list(RED)).cast("uchar").copy(interpretation="srgb")
    return red.icc_transform(space, input_profile="srgb", **options)


def near(colour: tuple[int, ...], wanted: tuple[int, ...] = RED, levels: int = 4) -> bool:
    return len(colour) == len(wanted) and all(abs(a - b) <= levels for a, b in zip(colour, wanted, strict=True))


def test_display_p3_becomes_srgb(tmp_path: Path) -> None:
    """A red that a phone stores in Display P3 is the same red to a browser that is told nothing."""
    red_in("p3").jpegsave(str(tmp_path / "p3.jpg"), Q=95)
    with Image.open(tmp_path / "p3.jpg") as stored:
        assert not near(middle(stored), levels=6)
    assert near(published_colour(tmp_path / "p3.jpg"))


@pytest.mark.parametrize("extension", ["png", "tif"])
def test_sixteen_bits_become_eight(tmp_path: Path, extension: str) -> None:
    """Sixteen bits in Display P3 come out as eight bits of the same colour."""
    path = tmp_path / f"deep.{extension}"
    red_in("p3", depth=16).write_to_file(str(path))
    assert near(published_colour(path))


def test_adobe_rgb_becomes_srgb(tmp_path: Path) -> None:
    """Adobe RGB is converted by the formulas of its specification, not by a guess."""
    profile = matrix_profile("Adobe RGB (1998)", ADOBE_RGB, 2.19921875)
    stored = (150, 90, 60)
    Image.new("RGB", SIZE, stored).save(tmp_path / "adobe.png", icc_profile=profile)
    linear = (np.array(stored) / 255) ** 2.19921875
    # ADOBE_RGB's rows are the primaries; the second matrix is sRGB's, adapted to D50, the other way round.
    xyz = linear @ np.array(ADOBE_RGB)
    srgb = np.array([[0.43607, 0.22249, 0.01392], [0.38515, 0.71687, 0.09708], [0.14307, 0.06061, 0.71410]])
    light = np.clip(xyz @ np.linalg.inv(srgb), 0, 1)
    wanted = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    job = render(tmp_path / "adobe.png")
    assert job.results["colour_profile"] == "Adobe RGB (1998)"
    assert near(middle(opened(job.artifacts["web-1600"].data)), tuple(round(float(level)) for level in wanted), 5)


@pytest.mark.parametrize("keep", ["icc", "none"])
def test_cmyk_becomes_srgb(tmp_path: Path, keep: str) -> None:
    """A CMYK JPEG shows its colours, with a profile and without."""
    red_in("cmyk").jpegsave(str(tmp_path / "print.jpg"), Q=95, keep=keep)
    job = render(tmp_path / "print.jpg")
    assert near(middle(opened(job.artifacts["web-1600"].data)), levels=8)
    thumbnail = opened(job.artifacts["thumbnail"].data)
    assert (thumbnail.format, thumbnail.mode) == ("JPEG", "RGB")


def test_cmyk_of_an_old_editor_is_not_inverted(tmp_path: Path) -> None:
    """A CMYK JPEG as Pillow and Photoshop write it, inverted, looks like its original."""
    picture = photograph("coffee")
    picture.convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    # Without a profile the inks are anybody's guess, so the tolerance is wide; a negative would be 100 levels away.
    assert difference(opened(render(tmp_path / "print.jpg").artifacts["web-1600"].data), picture) < 35


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "1", "P"])
def test_grey_and_palettes_become_srgb(tmp_path: Path, mode: str) -> None:
    """Grey of one, eight and sixteen bits, with alpha or not, and palettes keep their brightness."""
    grey = photograph("chelsea").convert("L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    stored = deep if mode == "I;16" else grey.convert(mode)
    if mode == "LA":
        stored.putalpha(200)
    stored.save(tmp_path / "grey.png")
    made = opened(render(tmp_path / "grey.png").artifacts["web-1600"].data)
    assert made.mode == ("RGBA" if mode == "LA" else "RGB")
    assert difference(made, stored.convert("RGB") if mode == "1" else grey) < (12 if mode == "1" else 6)


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        ("RGB", b"no profile at all"),
        ("L", ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
    ],
)
def test_a_profile_that_does_not_fit_is_ignored(tmp_path: Path, mode: str, profile: bytes) -> None:
    """A broken profile, or one for another kind of picture, costs the profile and not the picture."""
    picture = photograph("chelsea").convert(mode)
    picture.save(tmp_path / "odd.jpg", icc_profile=profile, quality=95)
    assert difference(opened(render(tmp_path / "odd.jpg").artifacts["web-1600"].data), picture) < 6


def test_transparency_is_kept(tmp_path: Path) -> None:
    """What one can see through stays so in every rendition."""
    Image.new("RGBA", SIZE, (*RED, 128)).save(tmp_path / "glass.png")
    job = render(tmp_path / "glass.png")
    assert job.results["has_alpha"] is True
    for made in job.artifacts.values():
        assert near(middle(opened(made.data)), (*RED, 128)), made.kind


def test_renditions_carry_no_profile(tmp_path: Path) -> None:
    """Published files are plain sRGB, which needs no profile."""
    red_in("p3").jpegsave(str(tmp_path / "p3.jpg"), Q=95)
    for made in render(tmp_path / "p3.jpg").artifacts.values():
        assert "icc_profile" not in opened(made.data).info, made.kind
