"""The video pipeline against one uninterrupted ffmpeg that makes the same files with the same encoders.

Both read a film of ten minutes, 1920 x 1080, 30 frames a second, with sound: photographs under a camera that pans and
zooms, with grain, numbered in each frame. What the pipeline makes of it is checked frame for frame.
"""

import resource
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.progress import say
from bench.video.film import film
from spotmill.testing import DirectoryJob
from tests.video_checks import check, warnings
from worker.pipelines.media import ffmpeg
from worker.pipelines.video import encoders, filters, planning
from worker.pipelines.video.pipeline import video
from worker.pipelines.video.plan import Chunk
from worker.pipelines.video.settings import Settings

MINUTES = 10
QUICK_MINUTES = 1


def run(quick: bool) -> list[dict[str, Any]]:
    """Time both, one after the other, and check what the pipeline made."""
    minutes = QUICK_MINUTES if quick else MINUTES
    path = film(minutes)
    with tempfile.TemporaryDirectory(dir=path.parent) as name:
        folder = Path(name)
        idle = _worked()
        say(f"video: {minutes:g} minutes of film by one ffmpeg")
        alone = _alone(path, folder)
        alone_processor = _worked() - idle
        job = DirectoryJob(path, folder / "job", settings={"captions": False})
        say("video: the same by the pipeline")
        started, worked = time.perf_counter(), _worked()
        job.run(video)
        seconds = time.perf_counter() - started
        processor = _worked() - worked
        frames = round(minutes * 60 * 30)
        lost = _check(job, frames)
    chunks = sum(key.startswith("chunk") for key in job.ran)
    return [
        _row("one ffmpeg, all renditions", alone, "s"),
        _row("the pipeline, as stored steps", seconds, "s"),
        _row("the pipeline / one ffmpeg", seconds / alone, "ratio", "<= 1.2"),
        _row("hours of two processors for an hour of film", seconds / (minutes * 60), "h"),
        _row("the pipeline / one ffmpeg, processor time", processor / alone_processor, "ratio"),
        _row("chunks", chunks, ""),
        _row("mean time of a chunk", seconds / chunks, "s", "<= 15"),
        _row("frames lost, doubled or displaced, all renditions", lost, "", "0"),
    ]


def _alone(path: Path, folder: Path) -> float:
    """Let one ffmpeg do it all with the pipeline's own filters and encoders; return its seconds."""
    settings = Settings()
    source = planning.open_film(path, settings)
    plan = planning.make(source, settings, folder, lambda _: None)
    whole = Chunk(0, 0, plan.frames, (None,))
    made = encoders.outputs(plan, settings)
    graph = filters.graph(
        source.video.index, plan, whole, source.look, [(output.size, 1) for output in made], patient=False
    )
    arguments = [*ffmpeg.source(path), "-filter_complex", graph]
    for number, output in enumerate(made):
        options = encoders.arguments(0, output, plan, settings)
        arguments += ["-map", f"[v{number}]", "-map", "0:a", "-c:a", "aac", "-b:a", f"{settings.audio_kbps}k", *options]
        arguments += ["-movflags", "+faststart", "-y", str(folder / f"alone-{output.size.name}.mp4")]
    started = time.perf_counter()
    ffmpeg.run(arguments, trouble="The film cannot be encoded")
    return time.perf_counter() - started


def _check(job: DirectoryJob, frames: int) -> int:
    """Check every rendition; return how many frames are not what and where they should be."""
    wrong = 0
    folder = job.folder / "served"
    folder.mkdir()
    for kind, published in job.artifacts.items():
        ending = {"video/mp4": ".mp4", "application/vnd.apple.mpegurl": ".m3u8"}.get(published.content_type, "")
        (folder / f"{kind}{ending}").symlink_to(published.path)
        if kind.startswith("mp4"):
            numbers = check(published.path).numbers
            wrong += abs(len(numbers) - frames) + sum(number != place for place, number in enumerate(numbers))
    assert warnings(folder / "hls.m3u8") == []
    return wrong


def _worked() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "video", "name": name, "value": round(value, 3), "unit": unit, "target": target}
