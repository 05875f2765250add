"""Every promised format is read by what it contains, and rendered as promised."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image, ImageSequence

from spotmill import PermanentError
from spotmill.pipeline import installed_pipelines
from tests.memory_job import MemoryJob
from tests.photos import photograph, photographs
from tests.pixels import difference, opened
from worker.pipelines.image import image

FORMATS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG", "quality": 92},
    "jpeg-progressive": {"format": "JPEG", "quality": 92, "progressive": True},
    "png": {"format": "PNG"},
    "webp": {"format": "WEBP", "quality": 92},
    "webp-lossless": {"format": "WEBP", "lossless": True},
    "avif": {"format": "AVIF", "quality": 90},
    "tiff": {"format": "TIFF"},
    "tiff-lzw": {"format": "TIFF", "compression": "tiff_lzw"},
    "tiff-jpeg": {"format": "TIFF", "compression": "jpeg", "quality": 95},
    "tiff-big": {"format": "TIFF", "big_tiff": True},
    "gif": {"format": "GIF"},
    "heic": {"format": "HEIF", "quality": 90},
}
THUMBNAILS = {
    "jpeg": ("JPEG", "image/jpeg", "thumbnail.jpg"),
    "png": ("PNG", "image/png", "thumbnail.png"),
    "webp": ("WEBP", "image/webp", "thumbnail.webp"),
    "avif": ("AVIF", "image/avif", "thumbnail.avif"),
    "tiff": ("TIFF", "image/tiff", "thumbnail.tif"),
    "gif": ("GIF", "image/gif", "thumbnail.gif"),
    "heic": ("PNG", "image/png", "thumbnail.png"),
}


def render(path: Path, **settings: Any) -> MemoryJob:
    job = MemoryJob(path, path.parent, settings)
    image(job)
    return job


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_rendered(tmp_path: Path, name: str) -> None:
    """Each format gives three renditions that look like the original, the thumbnail in its own format where it can."""
    picture = photograph("astronaut")
    # Named wrongly on purpose: the bytes count.
    path = tmp_path / "photograph.bin"
    picture.save(path, **FORMATS[name])
    job = render(path)
    kind = name.partition("-")[0]
    assert job.results["format"] == kind
    assert (job.results["width"], job.results["height"]) == picture.size
    assert job.results["frames"] == 1
    assert job.results["has_alpha"] is False
    assert job.artifacts.keys() == {"thumbnail", "web-320", "web-1600"}
    encoder, content_type, filename = THUMBNAILS[kind]
    thumbnail = job.artifacts["thumbnail"]
    assert (thumbnail.content_type, thumbnail.filename) == (content_type, filename)
    assert opened(thumbnail.data).format == encoder
    for made in job.artifacts.values():
        shown = opened(made.data)
        assert made.metadata == {"width": shown.width, "height": shown.height}
        assert difference(shown, picture) < (12 if kind == "gif" else 7), made.kind
    for kind in ("web-320", "web-1600"):
        assert job.artifacts[kind].content_type == "image/webp"
        assert opened(job.artifacts[kind].data).format == "WEBP"


@pytest.mark.parametrize("path", photographs(), ids=lambda path: path.stem)
def test_real_photographs_are_rendered(tmp_path: Path, path: Path) -> None:
    """Photographs as other programs wrote them come out looking like themselves."""
    job = MemoryJob(path, tmp_path)
    image(job)
    json.dumps(job.results, allow_nan=False)
    with Image.open(path) as original:
        for made in job.artifacts.values():
            assert difference(opened(made.data), original) < 10, made.kind


@pytest.mark.parametrize(
    ("size", "made"),
    [
        ((4000, 3000), [(1600, 1200), (320, 240), (100, 75)]),
        ((3000, 4000), [(1200, 1600), (240, 320), (75, 100)]),
        ((1600, 900), [(1600, 900), (320, 180), (100, 56)]),
        ((200, 120), [(200, 120), (200, 120), (100, 60)]),
        ((60, 40), [(60, 40), (60, 40), (60, 40)]),
        ((1, 1), [(1, 1), (1, 1), (1, 1)]),
        ((9000, 3), [(1600, 1), (320, 1), (100, 1)]),
    ],
)
@pytest.mark.parametrize("encoder", ["JPEG", "PNG"])
def test_renditions_fit_and_never_grow(
    tmp_path: Path, encoder: str, size: tuple[int, int], made: list[tuple[int, int]]
) -> None:
    """The longest side is at most 1600, 320 and 100; a smaller picture keeps its size; nothing shrinks to nothing."""
    path = tmp_path / "picture"
    Image.new("RGB", size, (90, 120, 60)).save(path, encoder)
    job = render(path)
    assert [opened(job.artifacts[kind].data).size for kind in ("web-1600", "web-320", "thumbnail")] == made


@pytest.mark.parametrize("encoder", ["GIF", "WEBP", "PNG"])
def test_animations_show_their_first_frame(tmp_path: Path, encoder: str) -> None:
    """Of an animation the first frame is rendered, and its frames are counted."""
    frames = [Image.new("RGB", (64, 48), colour) for colour in ((200, 30, 30), (30, 200, 30), (30, 30, 200))]
    path = tmp_path / "animation"
    frames[0].save(path, encoder, save_all=True, append_images=frames[1:], lossless=True)
    job = render(path)
    # An animated PNG is a PNG to every reader that knows no animation.
    assert job.results["frames"] == (1 if encoder == "PNG" else 3)
    for made in job.artifacts.values():
        shown = opened(made.data)
        assert sum(1 for _ in ImageSequence.Iterator(shown)) == 1
        assert difference(shown, frames[0]) < 8


def test_pages_are_counted(tmp_path: Path) -> None:
    """A scan of several pages shows the first."""
    pages = [photograph(name) for name in ("coffee", "rocket")]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    job = render(tmp_path / "scan.tif")
    assert job.results["frames"] == 2
    assert difference(opened(job.artifacts["web-1600"].data), pages[0]) < 6


def test_heic_keeps_alpha_and_grey(tmp_path: Path) -> None:
    """HEIC with transparency, and HEIC without colour, are rendered as such."""
    picture = photograph("coffee")
    glass = picture.convert("RGBA")
    glass.putalpha(120)
    glass.save(tmp_path / "glass.heic", quality=95)
    picture.convert("L").save(tmp_path / "grey.heic", quality=95)
    job = render(tmp_path / "glass.heic")
    assert job.results["has_alpha"] is True
    assert np.asarray(opened(job.artifacts["web-1600"].data))[..., 3].mean() == pytest.approx(120, abs=2)
    grey = render(tmp_path / "grey.heic")
    assert difference(opened(grey.artifacts["web-1600"].data), picture.convert("L")) < 6


@pytest.mark.parametrize("name", ["astronaut", "hubble", "noise", "glass"])
def test_the_placeholder_is_small_and_shows_something(tmp_path: Path, name: str) -> None:
    """The placeholder is a picture of at most 300 characters that a page can show without script."""
    match name:
        case "noise":
            random = np.random.default_rng(1)
            picture = Image.fromarray(random.integers(0, 256, (16, 16, 3), np.uint8))
        case "glass":
            random = np.random.default_rng(2)
            picture = Image.fromarray(random.integers(0, 256, (16, 16, 4), np.uint8))
        case _:
            picture = photograph(name)
    picture.save(tmp_path / "picture.png")
    placeholder = render(tmp_path / "picture.png").results["placeholder"]
    assert len(placeholder) <= 300
    head, _, data = placeholder.partition(",")
    assert head == "data:image/webp;base64"
    shown = opened(base64.b64decode(data, validate=True))
    assert max(shown.size) <= 16
    if name in ("astronaut", "hubble"):
        assert difference(shown, picture) < 25


def test_settings_choose_quality_and_effort(tmp_path: Path) -> None:
    """Less quality makes smaller web renditions, and the thumbnail stays as it is."""
    path = tmp_path / "photo.jpg"
    photograph("hubble").save(path, quality=95)
    fine, coarse = render(path, webp_quality=90), render(path, webp_quality=30, webp_effort=1)
    for kind in ("web-320", "web-1600"):
        assert len(coarse.artifacts[kind].data) < len(fine.artifacts[kind].data) / 2
    assert coarse.artifacts["thumbnail"].data == fine.artifacts["thumbnail"].data


def test_the_schema_knows_the_settings() -> None:
    """The pipeline is installed, takes every image, and its schema accepts what it reads and nothing else."""
    found = installed_pipelines()["image"]
    assert found is image
    assert found.accepts == ("image/*",)
    jsonschema.Draft202012Validator.check_schema(found.settings_schema)
    jsonschema.validate({"max_pixels": 1000, "webp_quality": 80, "webp_effort": 6}, found.settings_schema)
    for wrong in ({"max_pixels": 0}, {"webp_effort": 7}, {"quality": 80}, {"webp_quality": "high"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, found.settings_schema)


def test_the_size_limit_is_a_setting(tmp_path: Path) -> None:
    """A picture at the limit passes, one pixel row more does not."""
    path = tmp_path / "photo.png"
    Image.new("RGB", (100, 100)).save(path)
    render(path, max_pixels=10_000)
    with pytest.raises(PermanentError, match=r"too large: 100 .* 100 pixels .* limit"):
        render(path, max_pixels=9_999)


def test_jpegs_with_harmless_oddities_are_rendered(tmp_path: Path) -> None:
    """Stray bytes between segments and after the end, which real cameras write, cost nothing."""
    picture = photograph("coffee")
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95)
    data = out.getvalue()
    path = tmp_path / "photo.jpg"
    path.write_bytes(data[:-2] + bytes(40) + data[-2:] + b"trailing junk" * 50)
    assert difference(opened(render(path).artifacts["web-1600"].data), picture) < 6
