"""The kinds of files that come: their bytes, and what an undisturbed mill makes of them."""

import contextlib
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from spotmill import PermanentError
from spotmill.pipeline import Pipeline
from tests.bombs import BOMBS
from tests.chaos.pipelines import chaos_mill
from tests.chaos.schedule import Arrival
from tests.memory_job import MemoryJob
from tests.photos import jpeg_bytes, photographs
from worker.pipelines.image import image

#: Bombs that cost the one who makes them nothing either.
_BOMBS = ("impossible.png", "pixels.gif", "pixels.tif", "impossible.tif", "pixels.jpg", "pixels.webp", "profile.png")
_PHOTOGRAPH_SIDE = 360

PIPELINES: dict[str, Pipeline] = {
    pipeline.name: pipeline
    for pipeline in (image, *(found for found in vars(chaos_mill).values() if isinstance(found, Pipeline)))
}

#: What becomes of kinds that no process survives which runs them, in the words of the job page.
_DEADLY = {
    "segfault": "The chaos-segfault pipeline crashed (signal 11, SIGSEGV).",
    "greedy": "The pipeline ran out of memory.",
    "loop": "The job took longer than the 1 seconds it may run.",
}
_UNKNOWN = "Nobody says what this file is, and its first bytes do not tell. Choose a pipeline for it."


@dataclass(frozen=True, slots=True)
class Content:
    """A file as it is sent. ``pipeline`` is None where the mill is to choose one."""

    data: bytes
    content_type: str
    ending: str = ".bin"
    pipeline: str | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What must come of it: ``artifacts`` maps a kind to SHA-256, size and content type."""

    pipeline: str
    status: str
    error: str | None = None
    #: Failures that the file itself is to blame for; a chaotic machine may add to them.
    failures: int = 0
    artifacts: Mapping[str, tuple[str, int, str]] | None = None
    result: Mapping[str, Any] | None = None


def content(arrival: Arrival, version: int) -> Content:  # noqa: PLR0911 - one for each kind
    """Make the bytes of a file; every version has others."""
    variant = arrival.variant + version
    told = f"{arrival.filename} version {version}".encode()
    match arrival.kind:
        case "image":
            return Content(_photograph(variant % 12), "image/jpeg", ".jpg")
        case "impostor":
            return Content(_as_png(variant % 3), "image/jpeg", ".jpg")
        case "bomb":
            name = _BOMBS[variant % len(_BOMBS)]
            return Content(_bomb(name), "", name[name.rindex(".") :])
        case "text-as-image":
            return Content(told * 50 if variant % 2 else _zip(), "image/png", ".png")
        case "unknown":
            return Content(b"\0\1\2" + told, "application/octet-stream", ".dat")
        case "tiny" | "note":
            return Content(told, f"application/x-chaos-{arrival.kind}")
        case kind:
            return Content(told * 100, "application/x-chaos", pipeline=f"chaos-{kind}")


def expected(arrival: Arrival, version: int) -> Expected:
    """Say what an undisturbed mill makes of a version of a file, by running its pipeline here, once."""
    kind = arrival.kind
    if kind == "unknown":
        return Expected("none", "failed", _UNKNOWN)
    if kind in _DEADLY:
        return Expected(f"chaos-{kind}", "failed", _DEADLY[kind], failures=5)
    sent = content(arrival, version)
    pipeline = sent.pipeline or (f"chaos-{kind}" if kind in ("tiny", "note") else "image")
    settings = {name: value for name, value in arrival.settings.items() if name not in ("seconds", "log")}
    filename = "" if pipeline == "image" else arrival.filename + sent.ending
    return _undisturbed(pipeline, sent.data, sent.content_type, sent.ending, filename, json.dumps(settings))


@cache
def _undisturbed(  # noqa: PLR0917 - the key of the cache
    pipeline: str, data: bytes, content_type: str, ending: str, filename: str, settings: str
) -> Expected:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / f"source{ending}"
        source.write_bytes(data)
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        job = MemoryJob(source, scratch, json.loads(settings), filename or source.name, content_type)
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                PIPELINES[pipeline](job)
        except PermanentError as error:
            return Expected(pipeline, "failed", str(error), failures=1)
        made = {
            kind: (hashlib.sha256(artifact.data).hexdigest(), len(artifact.data), artifact.content_type)
            for kind, artifact in job.artifacts.items()
        }
        # As it comes back from the database.
        return Expected(pipeline, "succeeded", artifacts=made, result=json.loads(json.dumps(job.results)))


@cache
def _photograph(number: int) -> bytes:
    paths = photographs()
    with Image.open(paths[number % len(paths)]) as opened:
        picture = opened.convert("RGB")
    picture.thumbnail((_PHOTOGRAPH_SIDE, _PHOTOGRAPH_SIDE))
    return jpeg_bytes(picture, quality=70 + number)


@cache
def _as_png(number: int) -> bytes:
    out = io.BytesIO()
    with Image.open(io.BytesIO(_photograph(number))) as picture:
        picture.save(out, "PNG")
    return out.getvalue()


@cache
def _bomb(name: str) -> bytes:
    return BOMBS[name]()


@cache
def _zip() -> bytes:
    """Pack 100 MB of nothing."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nothing", bytes(100_000_000))
    return out.getvalue()
