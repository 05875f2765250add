"""The image pipeline: a thumbnail, two web renditions, a blur placeholder, and what the file says about itself."""

from spotmill import Job, pipeline
from worker.pipelines.images.colour import profile_name
from worker.pipelines.images.decoding import decode
from worker.pipelines.images.exif import parse_exif, read_tiff_tags
from worker.pipelines.images.formats import camera_raw, sniff
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
    header = read_header(path, kind, settings["max_pixels"])
    exif = read_tiff_tags(path) if kind.name == "tiff" else parse_exif(header.exif)
    if kind.name == "tiff" and exif.camera_raw:
        raise camera_raw(job.source.filename)

    picture = decode(path, kind, header, max(WEB_SIDES))
    webp = {"Q": settings["webp_quality"], "effort": settings["webp_effort"]}
    for made in write_renditions(picture, kind, job.scratch, webp):
        job.artifact(
            made.kind,
            made.path,
            content_type=made.content_type,
            filename=made.path.name,
            metadata={"width": made.width, "height": made.height},
        )

    width, height = header.upright_size
    result = {
        "width": width,
        "height": height,
        "format": kind.name,
        "orientation": exif.orientation,
        "colour_profile": profile_name(header.icc),
        "has_alpha": header.has_alpha,
        "frames": header.frames,
        "placeholder": blur_placeholder(picture),
        "exif": exif.tags,
    }
    if exif.taken_at is not None:
        result["taken_at"] = exif.taken_at
    job.result(**result)


def warm_up() -> None:
    """Load the codecs ahead of the first job; benchmarks time what comes after."""
    load_libvips()
    load_libheif()
    profile_name(b"\0")
