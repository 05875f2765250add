"""The sound of any file that ffmpeg reads: 16 kHz mono, decoded piece by piece, each piece one step, kept as FLAC.

When a job is resumed and its sound is stored, neither the source nor a decoder is needed again. Pieces are cut by the
file's own time line, as a player shows it: what begins late begins with silence, and gaps stay gaps.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from spotmill import Job, PermanentError
from worker.pipelines.media import ffmpeg
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.media.probe import AudioStream, Media, probe

#: Seconds of sound in a piece. Half an hour is decoded in 1 to 10 s.
PIECE_SECONDS = 1800
#: A piece is shorter where so many bytes of the source hold less: they have to be read, too.
_PIECE_BYTES = 2_000_000_000
_SHORTEST_PIECE_SECONDS = 60

#: Seconds that are decoded before a piece, and dropped: decoders and resamplers need some to swing in.
_LEAD_SECONDS = 2

#: The end of the sound is filled up to a multiple of so many samples: FLAC knows no block of fewer than 16.
_GRAIN = 400

#: Most channels that ffmpeg's resampler takes (``SWR_CH_MAX``), and most tracks that we mix.
_MOST_CHANNELS, _MOST_MIXED = 64, 32
#: Rates of sound that a microphone records; from 1 Hz the resampler would have to invent everything.
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 768_000

_TROUBLE = "The sound cannot be decoded"


@dataclass(frozen=True, slots=True)
class SoundPlan:
    """What of the file is decoded, and how it is cut. ``claimed_seconds`` may be a lie: the progress goes by it."""

    streams: tuple[tuple[int, int], ...]  #: index, and the channels if nobody says where they stand, else 0
    piece_seconds: int
    claimed_seconds: float | None


def decoded_sound(
    job: Job,
    source: Callable[[], Path],
    *,
    track: int | str = "default",
    max_hours: float = 24.0,
    told: Callable[[float], None] = lambda _: None,
) -> Pcm:
    """Decode the sound of a file into the job's scratch directory.

    ``source`` is called where the file itself is needed, ``told`` with the fraction that is decoded. ``track`` is
    ``"default"`` (the one a player would play), ``"mix"`` (all of them at once), or a number from 1.

    Raises:
        PermanentError: there is no sound, no such track, or more of it than ``max_hours``.
    """
    stored = job.step(f"sound plan, track {track}", _planned, source, track)
    streams = tuple((index, unplaced) for index, unplaced in stored["streams"])
    plan = SoundPlan(streams, stored["piece_seconds"], stored["claimed_seconds"])
    target = job.scratch / "sound.pcm"
    too_long = PermanentError(f"The recording is longer than {max_hours:g} hours, the most that is allowed.")
    limit = max_hours * 3600
    span = min(plan.claimed_seconds or limit, limit)
    samples, number = 0, 0
    with target.open("wb") as file:
        while samples == number * plan.piece_seconds * RATE:
            begin = number * plan.piece_seconds
            if begin >= limit:
                raise too_long
            key = f"sound, track {track}, piece {number} of {plan.piece_seconds} s"
            piece = job.step(key, decode_piece, source, plan, begin, job.scratch, lambda at: told(min(1.0, at / span)))
            samples += _append(piece, file, job.scratch)
            told(min(1.0, samples / RATE / span))
            number += 1
    if samples == 0:
        raise PermanentError("There is a sound track, but no sound in it that can be decoded.")
    if samples > limit * RATE:
        raise too_long
    return Pcm(target)


def _planned(source: Callable[[], Path], track: int | str) -> dict[str, Any]:
    path = source()
    return asdict(plan_sound(probe(path), path, track))


def plan_sound(media: Media, path: Path, track: int | str) -> SoundPlan:
    """Choose the tracks, and how long a piece is.

    Raises:
        PermanentError: there is none of that kind.
    """
    chosen = _chosen(media, track)
    for stream in chosen:
        if stream.channels > _MOST_CHANNELS:
            raise PermanentError(f"The sound has {stream.channels} channels; {_MOST_CHANNELS} are the most.")
        if stream.rate and not _LOWEST_RATE <= stream.rate <= _HIGHEST_RATE:
            raise PermanentError(f"The sound has {stream.rate} samples a second, which is no recording of speech.")
    claimed = [seconds for seconds in (media.duration, *(stream.duration for stream in chosen)) if seconds]
    seconds = max(claimed, default=None)
    piece = PIECE_SECONDS
    if seconds is not None:
        holds = _PIECE_BYTES * seconds / max(1, path.stat().st_size)
        piece = int(min(PIECE_SECONDS, max(_SHORTEST_PIECE_SECONDS, holds)))
    return SoundPlan(tuple((stream.index, _unplaced(stream)) for stream in chosen), piece, seconds)


def decode_piece(
    source: Callable[[], Path], plan: SoundPlan, begin: int, folder: Path, told: Callable[[float], None]
) -> Path:
    """Decode one piece from second ``begin`` on to a FLAC file; an empty file says that there is no sound left."""
    path = source()
    target = folder / f"piece-{begin}.flac"
    lead = min(begin, _LEAD_SECONDS)
    seek = ("-ss", str(begin - lead)) if begin else ()
    try:
        _decode(path, _filters(plan, lead), target, seek, lambda seconds: told(begin + seconds))
    except PermanentError:
        # Damaged frames may claim other channels than the ones before, for which there is no way to one channel.
        _decode(path, _filters(plan, lead), target, ("-drop_changed", "1", *seek), lambda _: None)
    return target


def _decode(path: Path, filters: str, target: Path, options: Sequence[str], told: Callable[[float], None]) -> None:
    arguments = [
        *ffmpeg.source(path, "-vn", "-sn", "-dn", "-max_error_rate", "1", *options),
        *("-filter_complex", filters, "-map", "[sound]"),
        *("-c:a", "flac", "-compression_level", "3", "-bitexact", "-map_metadata", "-1", "-y", f"file:{target}"),
    ]
    ffmpeg.run(arguments, trouble=_TROUBLE, told=lambda progress: told(progress.seconds))


def _filters(plan: SoundPlan, lead: int) -> str:
    """Make the filter graph: every track on the time line, with silence in gaps, at 16 kHz mono; then one of them."""
    cut = f"atrim=start_sample={lead * RATE}:end_sample={(lead + plan.piece_seconds) * RATE},asetpts=PTS-STARTPTS"
    last = f"{cut},aformat=sample_fmts=s16,asetnsamples={_GRAIN}:pad=1[sound]"
    tracks = [f"[0:{index}]{_one_channel(unplaced)}" for index, unplaced in plan.streams]
    if len(tracks) == 1:
        return f"{tracks[0]},{last}"
    names = [f"[t{number}]" for number in range(len(tracks))]
    named = ";".join(f"{track}{name}" for track, name in zip(tracks, names, strict=True))
    # Not louder than one track: people who talk at once would be clipped.
    return f"{named};{''.join(names)}amix=inputs={len(names)}:normalize=0,volume=1/{len(names)},{last}"


def _one_channel(unplaced: int) -> str:
    average = f"pan=mono|c0<{'+'.join(f'c{number}' for number in range(unplaced))}," if unplaced else ""
    return f"{average}aresample={RATE}:async=1:first_pts=0,aformat=sample_fmts=flt:channel_layouts=mono"


def _unplaced(stream: AudioStream) -> int:
    """Return the channels of a track that does not say where they stand: ffmpeg cannot mix them by itself."""
    return stream.channels if stream.channels > 1 and stream.layout.endswith("channels") else 0


def _append(piece: Path, file: BinaryIO, folder: Path) -> int:
    """Unpack a piece behind what is there; return its samples."""
    if piece.stat().st_size == 0:
        return 0
    raw = folder / "piece.pcm"
    ffmpeg.run(["-i", f"file:{piece}", "-f", "s16le", "-c:a", "pcm_s16le", "-y", str(raw)], trouble=_TROUBLE)
    with raw.open("rb") as unpacked:
        while block := unpacked.read(1 << 20):
            file.write(block)
    samples = raw.stat().st_size // 2
    raw.unlink()
    return samples


def _chosen(media: Media, track: int | str) -> list[AudioStream]:
    count = len(media.audios)
    if media.audio is None:
        raise PermanentError("The file has no sound.")
    if track == "mix":
        if count > _MOST_MIXED:
            raise PermanentError(f"The file has {count} sound tracks; {_MOST_MIXED} are the most that can be mixed.")
        return list(media.audios)
    if isinstance(track, int):
        if track > count:
            raise PermanentError(f"There is no sound track {track}; the file has {count}.")
        return [media.audios[track - 1]]
    return [media.audio]
