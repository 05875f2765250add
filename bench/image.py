"""The image pipeline against a bare libvips loop that makes the same renditions of the same photographs."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from multiprocessing.pool import Pool
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from bench.progress import say
from tests.memory_job import MemoryJob
from tests.photos import jpeg_bytes, large_photographs
from tests.raw_files import write_dng
from worker.pipelines.image import DEFAULTS, image, warm_up
from worker.pipelines.images.libvips import load_libvips


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure images per second on 24-megapixel photographs: libvips alone, and the pipeline's function."""
    processes = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, _warm_pool(processes) as pool, _warm_pool(1) as alone:
        paths = list(large_photographs(Path(folder), 4 if quick else 12))
        rounds = []
        for number in range(3 if quick else 7):
            say(f"image: round {number + 1}, {len(paths)} photographs three times")
            # In turns, so that other work on the machine hits one as much as the other.
            rounds.append([_rate(pool, render, paths) for render in (_render_each, _render_bare, _render_pipeline)])
        single = _rate(alone, _render_pipeline, paths)
        raw = {name: _rate(alone, _render_pipeline, [path] * 4) for name, path in _raw_files(Path(folder), paths[0])}
    naive, bare, pipeline = (max(rates) for rates in zip(*rounds, strict=True))
    ratio = median(pipeline / bare for _, bare, pipeline in rounds)
    return [
        _row(f"libvips, each rendition from the file, {processes} processes", naive, "images/s"),
        _row(f"libvips, bare loop, {processes} processes", bare, "images/s"),
        _row(f"pipeline function, {processes} processes", pipeline, "images/s"),
        _row("pipeline function / bare loop", ratio, "ratio", ">= 0.8"),
        _row("pipeline function, 1 process", single, "images/s"),
        *(_row(f"pipeline function, camera raw {name}, 1 process", rate, "images/s") for name, rate in raw.items()),
    ]


def _raw_files(folder: Path, photograph: Path) -> Iterator[tuple[str, Path]]:
    """Write a photograph as DNGs of its 24 megapixels: one with the preview that cameras add, one without."""
    with Image.open(photograph) as opened:
        picture = opened.convert("RGB")
    preview = jpeg_bytes(picture.resize((1620, 1080)), quality=92)
    for name, added in (("with preview", (preview, (1620, 1080))), ("from the sensor", None)):
        path = folder / f"{name}.dng"
        path.write_bytes(write_dng(picture, preview=added))
        yield name, path


def bare_loop(paths: Sequence[Path], processes: int) -> float:
    """Make the pipeline's renditions with bare libvips calls in ``processes`` processes; give images per second.

    It decodes once, shrunk by the JPEG decoder, as the pipeline does: the fastest loop that we know how to write. It
    checks nothing, reads no metadata, and makes no placeholder.
    """
    with _warm_pool(processes) as pool:
        return _rate(pool, _render_bare, paths)


def _render_bare(path: Path, folder: Path) -> None:
    vips = load_libvips()
    stored = vips.Image.new_from_file(str(path), access="sequential")
    if max(stored.width, stored.height) >= 4000:
        stored = vips.Image.jpegload(str(path), shrink=2, access="sequential")
    large = stored.thumbnail_image(1600, height=1600, size="down").copy_memory()
    _save(large, folder)


def _render_each(path: Path, folder: Path) -> None:
    vips = load_libvips()
    webp = {"Q": DEFAULTS["webp_quality"], "effort": DEFAULTS["webp_effort"], "keep": "none"}
    for side in (1600, 320):
        made = vips.Image.thumbnail(str(path), side, height=side, size="down")
        made.webpsave(str(folder / f"web-{side}.webp"), **webp)
    made = vips.Image.thumbnail(str(path), 100, height=100, size="down")
    made.jpegsave(str(folder / "thumbnail.jpg"), Q=85, optimize_coding=True, keep="none")


def _save(large: Any, folder: Path) -> None:
    webp = {"Q": DEFAULTS["webp_quality"], "effort": DEFAULTS["webp_effort"], "keep": "none"}
    large.webpsave(str(folder / "web-1600.webp"), **webp)
    middle = large.thumbnail_image(320, height=320, size="down").copy_memory()
    middle.webpsave(str(folder / "web-320.webp"), **webp)
    small = middle.thumbnail_image(100, height=100, size="down")
    small.jpegsave(str(folder / "thumbnail.jpg"), Q=85, optimize_coding=True, keep="none")


def _render_pipeline(path: Path, folder: Path) -> None:
    image(MemoryJob(path, folder))


def _render_in_scratch(render: Callable[[Path, Path], None], path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        render(path, Path(folder))


@contextmanager
def _warm_pool(processes: int) -> Iterator[Pool]:
    with multiprocessing.get_context("spawn").Pool(processes, initializer=warm_up) as pool:
        yield pool


def _rate(pool: Pool, render: Callable[[Path, Path], None], paths: Sequence[Path]) -> float:
    """Spread the paths over the pool and give images per second."""
    # One to warm up: what a process does for the first time is not what is measured.
    pool.starmap(_render_in_scratch, zip(repeat(render), paths[:2]), chunksize=1)
    started = time.perf_counter()
    pool.starmap(_render_in_scratch, zip(repeat(render), paths), chunksize=1)
    return len(paths) / (time.perf_counter() - started)


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "image", "name": name, "value": round(value, 2), "unit": unit, "target": target}
