"""From a file to its plan: which stream, at which rate, cut where, encoded by whom."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from spotmill import PermanentError
from worker.pipelines.media import ffmpeg
from worker.pipelines.media.aac import RATE
from worker.pipelines.media.probe import AudioStream, Media, VideoStream, probe
from worker.pipelines.video import encoders, plan, rates, sizes
from worker.pipelines.video.filters import is_hdr
from worker.pipelines.video.look import Look, look
from worker.pipelines.video.plan import Chunk, Plan
from worker.pipelines.video.scan import Frames, scan
from worker.pipelines.video.settings import Settings

#: Containers in which ffmpeg finds a keyframe by an index.
_INDEXED = ("mov", "matroska", "webm", "avi", "mxf", "nut")
#: Those whose clock may jump, which ffmpeg mends while it copies them (AVFMT_TS_DISCONT).
_JUMPING = ("mpegts", "mpeg")
#: Sound that begins earlier than this before the first frame is kept, under that frame; what is less is trimmed.
_EARLY_SECONDS, _EARLIEST_SECONDS = 0.2, 60.0


@dataclass(frozen=True, slots=True)
class Film:
    """The file at ``path``, and those streams of it that are used."""

    path: Path
    media: Media
    video: VideoStream
    audio: AudioStream | None
    look: Look


def open_film(path: Path, settings: Settings) -> Film:
    """Look into the file.

    Raises:
        PermanentError: there is no film in it, or none that the settings allow.
    """
    media = probe(path)
    video = media.video
    if video is None:
        raise PermanentError(
            "There is sound in this file, but no video. The speech pipeline takes such a file."
            if media.audios
            else "There is no video in this file."
        )
    if video.width * video.height > settings.max_pixels:
        raise PermanentError(
            f"The video has {video.width} x {video.height} pixels; {settings.max_pixels:,} in all are allowed."
        )
    return Film(path, media, video, _audio(media, settings), look(path, video.index, settings.max_pixels))


def rewrap(film: Film, folder: Path, settings: Settings, told: Callable[[float], None]) -> Film:
    """Copy a film whose clock jumps, without encoding, to a file whose clock does not; ``told`` hears that it goes on.

    Raises:
        PermanentError: it cannot be copied.
    """
    file = folder / "rewrapped.mkv"
    streams = [stream.index for stream in (film.video, film.audio) if stream is not None]
    maps = [part for index in streams for part in ("-map", f"0:{index}")]
    trouble = "The timestamps of the video jump and cannot be mended"
    length = film.media.duration or 3600.0
    ffmpeg.run(
        [*ffmpeg.source(film.path), *maps, "-c", "copy", "-fflags", "+bitexact", "-y", f"file:{file}"],
        trouble=trouble,
        told=lambda progress: told(min(1.0, progress.seconds / length)),
    )
    copy = open_film(file, replace(settings, audio_track=None))
    return replace(copy, look=film.look)


def make(film: Film, settings: Settings, folder: Path, told: Callable[[float], None]) -> Plan:
    """Read the file through and decide everything about its encoding.

    Raises:
        PermanentError: it is longer than the settings allow, or its clock is of no use.
    """
    frames = _scan(film, told)
    if not frames.jumps or film.media.container not in _JUMPING:
        return _plan(film, frames, settings)
    mended = rewrap(film, folder, settings, told)
    return replace(_plan(mended, _scan(mended, told), settings), rewrapped=True)


def _scan(film: Film, told: Callable[[float], None]) -> Frames:
    return scan(film.path, film.video, film.audio.index if film.audio else None, told)


def _plan(film: Film, frames: Frames, settings: Settings) -> Plan:
    video = film.video
    clock = rates.choose(frames.times, frames.base, (video.rate, video.average_rate), settings.max_fps)
    length = float((frames.times[-1] - frames.times[0]) * frames.base)
    if length > settings.max_hours * 3600:
        raise PermanentError(f"The video is {length / 3600:.1f} hours long; {settings.max_hours:g} are allowed.")
    ticks = rates.ticks(frames.times, frames.base, clock.rate)
    lead = _lead(frames, clock.rate)
    total = int(ticks[-1]) + 1 + lead
    shown = sizes.shown(film.look.width, film.look.height, film.look.sample_aspect)
    chosen = tuple(sizes.renditions(*shown, settings.renditions))
    used = len(np.unique(ticks))
    started = float(int(frames.times[0]) * frames.base) - float(lead / clock.rate)
    made = Plan(
        rate=clock.rate,
        base=frames.base,
        origin=int(frames.times[0]),
        frames=total,
        lead=lead,
        gop=max(1, round(plan.GOP_SECONDS * clock.rate)),
        sizes=chosen,
        chunks=(),
        encoder=encoders.choose(settings.encoder),
        samples=_samples(frames, started, total / float(clock.rate), settings),
        constant=clock.constant,
        source_frames=len(frames.times),
        repeated=total - used,
        dropped=len(frames.times) - used,
        rewrapped=False,
    )
    return _with_chunks(made, film, frames, settings)


def _with_chunks(made: Plan, film: Film, frames: Frames, settings: Settings) -> Plan:
    seconds = settings.chunk_seconds or plan.chunk_seconds(
        made.sizes,
        made.rate,
        film.look.width * film.look.height,
        settings.preset,
        settings.av1_preset if settings.av1 else None,
        hdr=is_hdr(film.look),
    )
    every = rates.ticks(frames.times, frames.base, made.rate)
    places = np.searchsorted(frames.times, frames.keys)
    keys = [int(every[place]) + made.lead for place in places]
    times = [float(int(key) * frames.base) for key in frames.keys]
    exact = film.media.container.split(",")[0] in _INDEXED
    margin = 2 if film.look.interlaced else 0
    ranges = plan.cut(made.frames, keys, max(1, round(seconds * made.rate)))
    chunks = []
    for number, (first, end) in enumerate(ranges):
        # At most two keyframes before are looked at, so a window of them will do.
        near = max(0, bisect_left(keys, first) - 8)
        window = slice(near, near + 16)
        seeks = plan.seeks(first, keys[window], times[window], margin=margin, exact=exact) if number else (None,)
        chunks.append(Chunk(number, first, end, seeks))
    return replace(made, chunks=tuple(chunks))


def _audio(media: Media, settings: Settings) -> AudioStream | None:
    if settings.audio_track is None:
        return media.audio
    if settings.audio_track >= len(media.audios):
        raise PermanentError(
            f"The file has {len(media.audios)} sound tracks; there is none of number {settings.audio_track}."
        )
    return media.audios[settings.audio_track]


def _lead(frames: Frames, rate: Fraction) -> int:
    """Return how many frames to put before the first one, so that sound which begins earlier is heard."""
    if frames.sound is None:
        return 0
    early = float(int(frames.times[0]) * frames.base) - frames.sound.start
    return round(min(early, _EARLIEST_SECONDS) * rate) if early >= _EARLY_SECONDS else 0


def _samples(frames: Frames, start: float, seconds: float, settings: Settings) -> int:
    """Return how many samples of sound follow ``start``; sound that never ends is cut an hour after the picture."""
    if frames.sound is None:
        return 0
    end = min(frames.sound.end - start, seconds + 3600, settings.max_hours * 3600)
    return max(0, round(end * RATE))
