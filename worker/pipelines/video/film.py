"""The way of a film through the pipeline: plan, sound, chunks, files, pictures."""

from dataclasses import replace
from pathlib import Path

from spotmill import Job, PermanentError
from worker.pipelines.media import aac, ffmpeg
from worker.pipelines.video import encoders, hls, planning
from worker.pipelines.video.captions import transcribe_film
from worker.pipelines.video.chunks import DAMAGED, Encoding
from worker.pipelines.video.encoders import Output
from worker.pipelines.video.filters import is_hdr
from worker.pipelines.video.joining import Joined, Made, Sound, join
from worker.pipelines.video.pictures import poster, sheet
from worker.pipelines.video.plan import Plan
from worker.pipelines.video.planning import Film
from worker.pipelines.video.settings import Settings

#: Where the stages begin on the way from 0 to 1.
_SOUND, _CHUNKS, _CAPTIONS, _JOINING, _PICTURES = 0.02, 0.05, 0.8, 0.95, 0.99
SHEET_NAME = "sprite.jpg"


def render(job: Job) -> None:
    """Make everything that the video pipeline publishes."""
    settings = Settings.of(job.settings)
    job.progress(0, "Reading the video")
    source = film = planning.open_film(job.download(), settings)
    plan = _plan(job, film, settings)
    if plan.rewrapped:
        film = planning.rewrap(
            film, job.scratch, settings, lambda done: job.progress(_SOUND * done, "Reading the video")
        )
    made = encoders.outputs(plan, settings)
    notes = _notes(source, plan)
    heard = _sound(job, film, plan, settings, notes)
    chunks = _encode(job, film, plan, settings, made)
    if any(DAMAGED in chunk.name for chunk in chunks):
        notes.append("Parts of the video are damaged; frames that could not be decoded show their neighbours.")
    if settings.captions and heard is not None:
        notes += transcribe_film(job, _CAPTIONS, _JOINING)
    job.progress(_JOINING, "Joining the pieces")

    def told(done: float) -> None:
        job.progress(_between(_JOINING, _PICTURES, done), "Joining the pieces")

    joined = join(plan, made, Made(chunks, heard), job.scratch, told)
    job.progress(_PICTURES, "Making pictures")
    _publish(job, joined, plan)
    _report(job, source, plan, joined, notes)


def _plan(job: Job, film: Film, settings: Settings) -> Plan:
    def told(done: float) -> None:
        job.progress(_SOUND * done, "Reading the video")

    stored = job.step("plan", lambda: planning.make(film, settings, job.scratch, told).to_json())
    plan = Plan.from_json(stored)
    # Begun where there was a GPU, and gone on where there is none: chunks have keys of their own for each encoder.
    if plan.encoder == "nvenc" and not encoders.has_nvenc():
        return replace(plan, encoder="x264")
    return plan


def _sound(job: Job, film: Film, plan: Plan, settings: Settings, notes: list[str]) -> Sound | None:
    if film.audio is None:
        return None
    if plan.samples == 0:
        notes.append("The video is without sound. Its sound track is empty.")
        return None
    recording = aac.Recording(film.path, film.audio, plan.start, plan.samples, settings.audio_kbps)
    pieces = aac.pieces(plan.samples)
    files: list[tuple[aac.Piece, Path]] = []
    for piece in pieces:

        def told(done: float, number: int = piece.number) -> None:
            job.progress(_between(_SOUND, _CHUNKS, (number + done) / len(pieces)), "Encoding the sound")

        try:
            file = job.step(f"sound-{piece.number}-{ffmpeg.version()}", aac.encode, recording, piece, job.scratch, told)
        except PermanentError as error:
            notes.append(f"The video is without sound. {error}")
            return None
        files.append((piece, file))
    return Sound(files, film.audio.language)


def _encode(job: Job, film: Film, plan: Plan, settings: Settings, made: list[Output]) -> list[Path]:
    last = _CAPTIONS if settings.captions and film.audio is not None else _JOINING

    def told(done: float) -> None:
        job.progress(_between(_CHUNKS, last, done), "Encoding the video")

    encoding = Encoding(film.path, film.video.index, plan, film.look, settings, made, job.scratch, told)
    with encoding:
        made_by = f"{plan.encoder}-{ffmpeg.version()}"
        return [job.step(f"chunk-{chunk.number}-{made_by}", encoding.encode, chunk) for chunk in plan.chunks]


def _publish(job: Job, joined: list[Joined], plan: Plan) -> None:
    stem = Path(job.source.filename).stem or "video"
    for file in joined:
        size = file.output.size
        ending = "-av1" if file.output.codec == "av1" else ""
        job.artifact(
            file.output.kind,
            file.path,
            content_type="video/mp4",
            filename=f"{stem}-{size.name}p{ending}.mp4",
            metadata={
                "width": size.width,
                "height": size.height,
                "seconds": round(plan.seconds, 3),
                "codecs": file.variant.codecs,
            },
        )
        playlist = hls.media_playlist(file.variant).encode()
        job.artifact(
            file.variant.playlist, playlist, content_type=hls.CONTENT_TYPE, filename=f"{file.output.kind}.m3u8"
        )
    everything = hls.multivariant_playlist([file.variant for file in joined]).encode()
    job.artifact("hls", everything, content_type=hls.CONTENT_TYPE, filename="hls.m3u8")

    h264 = [file for file in joined if file.output.codec != "av1"]
    large, small = h264[0], h264[-1]
    job.artifact(
        "poster", poster(small.path, large.path, plan.seconds), content_type="image/jpeg", filename="poster.jpg"
    )
    tiles = sheet(small.path, plan.seconds, SHEET_NAME)
    job.artifact(
        "sprite",
        tiles.jpeg,
        content_type="image/jpeg",
        filename=SHEET_NAME,
        metadata={
            "tile_width": tiles.tile_width,
            "tile_height": tiles.tile_height,
            "columns": tiles.columns,
            "count": tiles.count,
            "seconds": tiles.seconds,
        },
    )
    job.artifact("sprite-vtt", tiles.vtt.encode(), content_type="text/vtt", filename="sprite.vtt")


def _report(job: Job, film: Film, plan: Plan, joined: list[Joined], notes: list[str]) -> None:
    look, video, audio = film.look, film.video, film.audio
    job.result(
        seconds=round(plan.seconds, 3),
        starts_at=round(plan.start, 6),
        width=look.width,
        height=look.height,
        frame_rate=round(float(plan.rate), 3),
        constant_rate=plan.constant,
        frames=plan.frames,
        source_frames=plan.source_frames,
        repeated_frames=plan.repeated,
        dropped_frames=plan.dropped,
        container=film.media.container,
        codec=video.codec,
        pixel_format=look.pixel_format,
        rotation=look.rotation,
        interlaced=look.interlaced,
        hdr=video.hdr,
        sound=None
        if audio is None
        else {
            "codec": audio.codec,
            "channels": audio.channels,
            "rate": audio.rate,
            "language": audio.language,
            "tracks": len(film.media.audios),
        },
        encoder=plan.encoder,
        renditions=[file.output.kind for file in joined],
        notes=notes,
    )


def _notes(film: Film, plan: Plan) -> list[str]:
    """Say what people should know about the result."""
    notes = []
    if plan.rewrapped:
        notes.append("The timestamps of the video jump; its parts are shown one after the other.")
    claimed, found = film.media.duration, max(plan.seconds, plan.samples / aac.RATE)
    if claimed is not None and claimed - found > max(2.0, 0.02 * claimed):
        notes.append(f"The file claims {claimed:.0f} seconds, but ends after {found:.0f}; it may have been cut off.")
    if film.video.dolby_vision and not is_hdr(film.look):
        notes.append("The video is Dolby Vision without a base that other players understand; its colours are wrong.")
    return notes


def _between(first: float, last: float, done: float) -> float:
    return first + (last - first) * min(1.0, max(0.0, done))
