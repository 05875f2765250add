"""The image pipeline: a thumbnail, two web renditions, a blur placeholder, hashes, and what the file says of itself."""

from pathlib import Path
from typing import Any

from spotmill import Job, pipeline
from worker.pipelines.images import raw
from worker.pipelines.images.camera_files import read_camera_tags
from worker.pipelines.images.colour import profile_name
from worker.pipelines.images.decoding import decode
from worker.pipelines.images.development import develop
from worker.pipelines.images.exif import Exif, parse_exif, read_tiff_tags
from worker.pipelines.images.fingerprint import perceptual_hashes
from worker.pipelines.images.formats import Format, sniff
from worker.pipelines.images.header import read_header
from worker.pipelines.images.heic import load_libheif
from worker.pipelines.images.libvips import load_libvips
from worker.pipelines.images.placeholder import blur_placeholder
from worker.pipelines.images.renditions import WEB_SIDES, write_renditions

DEFAULTS = {"max_pixels": 250_000_000, "webp_quality": 80, "webp_effort": 4}

SETTINGS_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_pixels": {
            "type": "integer",
            "minimum": 1,
            "maximum": 1_000_000_000,
            "default": DEFAULTS["max_pixels"],
            "description": "Pictures with more pixels than this are refused before they are decoded.",
        },
        "webp_quality": {
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "default": DEFAULTS["webp_quality"],
            "description": "Quality of the web renditions.",
        },
        "webp_effort": {
            "type": "integer",
            "minimum": 0,
            "maximum": 6,
            "default": DEFAULTS["webp_effort"],
            "description": "How long the encoder looks for a smaller file; 2 takes two thirds of the time of 4.",
        },
    },
}


@pipeline("image", accepts=("image/*",), settings_schema=SETTINGS_SCHEMA, max_run_seconds=600)
def image(job: Job) -> None:
    """Render one image. One short piece of work: no steps, because starting over costs less than storing them."""
    settings = DEFAULTS | dict(job.settings)
    path = job.download()
    kind = sniff(path, job.source.filename)
    read = _read_raw if kind.name == "raw" else _read
    picture, exif, facts = read(path, kind, settings["max_pixels"], job.scratch)

    webp = {"Q": settings["webp_quality"], "effort": settings["webp_effort"]}
    renditions = {made.kind: made for made in write_renditions(picture, kind, job.scratch, webp)}
    for made in renditions.values():
        job.artifact(
            made.kind,
            made.path,
            content_type=made.content_type,
            filename=made.path.name,
            metadata={"width": made.width, "height": made.height},
        )

    if exif.taken_at is not None:
        facts["taken_at"] = exif.taken_at
    small = renditions["web-320"].picture
    job.result(
        format=kind.name,
        orientation=exif.orientation,
        placeholder=blur_placeholder(small),
        hashes=perceptual_hashes(small),
        exif=exif.tags,
        **facts,
    )


def _read(path: Path, kind: Format, max_pixels: int, _scratch: Path) -> tuple[Any, Exif, dict[str, Any]]:
    """Give the largest rendition, the tags, and the rest of the result."""
    header = read_header(path, kind, max_pixels)
    exif = read_tiff_tags(path) if kind.name == "tiff" else parse_exif(header.exif)
    width, height = header.upright_size
    facts = {
        "width": width,
        "height": height,
        "colour_profile": profile_name(header.icc),
        "has_alpha": header.has_alpha,
        "frames": header.frames,
    }
    return decode(path, kind, header, max(WEB_SIDES)), exif, facts


def _read_raw(path: Path, kind: Format, max_pixels: int, scratch: Path) -> tuple[Any, Exif, dict[str, Any]]:
    camera = raw.open_picture(path, kind, max_pixels)
    picture, rendered_from = develop(camera, max(WEB_SIDES), max_pixels, scratch)
    width, height = camera.upright_size
    facts = {
        "width": width,
        "height": height,
        "colour_profile": None,
        "has_alpha": False,
        "frames": 1,
        "raw": {"format": kind.extension, "rendered_from": rendered_from},
    }
    return picture, read_camera_tags(path, kind.extension), facts


def warm_up() -> None:
    """Load the codecs ahead of the first job; benchmarks time what comes after."""
    load_libvips()
    load_libheif()
    profile_name(b"\0")
    perceptual_hashes(load_libvips().Image.black(8, 8, bands=3))
