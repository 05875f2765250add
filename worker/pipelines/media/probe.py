"""What a media file says of itself, read with PyAV: container, streams, length. Nothing is decoded here.

Colours are code points of ITU-T H.273 (1 is BT.709, 9 BT.2020; transfer 16 is PQ, 18 HLG; 2 says "unknown").
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from spotmill import PermanentError
from worker.pipelines.media.ffmpeg import MOST_STREAMS, limits

#: Four-character codes of Dolby Vision without a picture that other decoders understand (profile 5, and AV1's 10.0).
_DOLBY_VISION = frozenset({"dvh1", "dvhe", "dav1"})
_TRANSFERS = {16: "pq", 18: "hlg"}
#: AVFieldOrder: 0 is unknown, 1 progressive, the rest say which field comes first.
_INTERLACED = 2


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A film in the file, as its header describes it; ``width`` and ``height`` are stored, not shown, pixels.

    ``start`` and ``duration`` are seconds or None, ``frames`` is 0 where the header does not tell, ``rate`` is the
    nominal and ``average_rate`` the average number of frames a second. ``hdr`` is ``"pq"``, ``"hlg"`` or None.
    """

    index: int
    codec: str
    profile: str | None
    width: int
    height: int
    sample_aspect: Fraction
    rate: Fraction | None
    average_rate: Fraction | None
    time_base: Fraction
    pixel_format: str | None
    bit_depth: int
    primaries: int
    transfer: int
    matrix: int
    full_range: bool
    hdr: str | None
    dolby_vision: bool
    interlaced: bool
    language: str | None
    default: bool
    start: float | None
    duration: float | None
    frames: int


@dataclass(frozen=True, slots=True)
class AudioStream:
    """A sound track; ``language`` is ISO 639-2 or None, ``start`` and ``duration`` seconds or None."""

    index: int
    codec: str
    rate: int
    channels: int
    layout: str
    language: str | None
    title: str | None
    default: bool
    start: float | None
    duration: float | None


@dataclass(frozen=True, slots=True)
class Media:
    """A media file. ``start`` is where its time line begins, in seconds; ``duration`` is what the header claims.

    Neither cover art nor still thumbnails count as ``videos``.
    """

    container: str
    start: float
    duration: float | None
    videos: tuple[VideoStream, ...]
    audios: tuple[AudioStream, ...]
    covers: int
    subtitles: int

    @property
    def video(self) -> VideoStream | None:
        """The film that a player would show: the default one, else the one with the most pixels."""
        return max(self.videos, key=lambda s: (s.default, s.width * s.height, -s.index), default=None)

    @property
    def audio(self) -> AudioStream | None:
        """The sound that a player would play: the default track, else the first."""
        return max(self.audios, key=lambda s: (s.default, -s.index), default=None)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a stream really begins and ends on the file's time line (seconds), and how many packets it has."""

    start: float
    end: float
    packets: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.start


def probe(path: Path) -> Media:
    """Read the header of a media file.

    Raises:
        PermanentError: it is empty, no media file, or one with an absurd number of streams.
    """
    if path.stat().st_size == 0:
        raise PermanentError("The file is empty.")
    with closing(open_media(path)) as container:
        streams = list(container.streams)
        if len(streams) >= MOST_STREAMS:
            raise _too_many()
        videos = [_video(stream) for stream in container.streams.video if not _is_picture(stream)]
        return Media(
            container=container.format.name,
            start=(container.start_time or 0) / 1e6,
            duration=_claimed(container.duration, Fraction(1, 1_000_000)),
            videos=tuple(video for video in videos if video is not None),
            audios=tuple(_audio(stream) for stream in container.streams.audio if stream.codec_context is not None),
            covers=sum(_is_picture(stream) for stream in container.streams.video),
            subtitles=len(container.streams.subtitles),
        )


def measure(path: Path) -> dict[int, Extent]:
    """Read every packet of a file and tell where each stream with a clock begins and ends, whatever the header claims.

    This reads the whole file once. What cannot be read ends the measuring: a file that is cut off is as long as what
    is left of it.
    """
    found: dict[int, Extent] = {}
    with closing(open_media(path)) as container:
        for packet in packets(container, None):
            time = packet.pts if packet.pts is not None else packet.dts
            if time is None or packet.time_base is None:
                continue
            start = float(time * packet.time_base)
            end = start + float((packet.duration or 0) * packet.time_base)
            known = found.get(packet.stream_index)
            found[packet.stream_index] = (
                Extent(start, end, 1)
                if known is None
                else Extent(min(known.start, start), max(known.end, end), known.packets + 1)
            )
    return found


def open_media(path: Path) -> Any:
    """Open a file as PyAV's input container, with the demuxers that ``media.ffmpeg`` allows.

    Raises:
        PermanentError: none of them knows it.
    """
    import av  # noqa: PLC0415 - 40 MB of libraries that only media jobs need

    # The messages of libav would fill the log; what matters comes back as an exception.
    av.logging.set_level(None)
    try:
        return av.open(f"file:{path}", options=limits(), metadata_errors="replace")
    except av.error.MemoryError as error:  # what a demuxer makes of `max_streams`
        raise _too_many() from error
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        raise PermanentError(_unreadable(path)) from error


def packets(container: Any, streams: list[Any] | None) -> Iterator[Any]:
    """Yield the packets of these streams (None: all) that will be shown, as far as the file can be read."""
    import av  # noqa: PLC0415 - as above

    demuxed = container.demux() if streams is None else container.demux(*streams)
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            return
        except (av.error.FFmpegError, ValueError):
            return
        if packet.size and not packet.is_discard:
            yield packet


def _video(stream: Any) -> VideoStream | None:
    context = stream.codec_context
    if context is None or not context.width or not context.height:
        return None  # a stream that was announced, and of which nothing came
    transfer = int(context.color_trc or 2)
    return VideoStream(
        index=stream.index,
        codec=context.name,
        profile=stream.profile,
        width=context.width,
        height=context.height,
        sample_aspect=_positive(stream.sample_aspect_ratio) or Fraction(1),
        rate=_positive(stream.base_rate) or _positive(stream.guessed_rate),
        average_rate=_positive(stream.average_rate),
        time_base=stream.time_base,
        pixel_format=context.pix_fmt,
        bit_depth=max((part.bits for part in context.format.components), default=8) if context.format else 8,
        primaries=int(context.color_primaries or 2),
        transfer=transfer,
        matrix=int(context.colorspace if context.colorspace is not None else 2),
        full_range=int(context.color_range or 0) == 2,
        hdr=_TRANSFERS.get(transfer),
        dolby_vision=context.codec_tag in _DOLBY_VISION,
        interlaced=int(context.field_order or 0) >= _INTERLACED,
        language=_language(stream),
        default=_has(stream, "default"),
        start=_seconds(stream.start_time, stream.time_base),
        duration=_claimed(stream.duration, stream.time_base),
        frames=stream.frames or 0,
    )


def _audio(stream: Any) -> AudioStream:
    context = stream.codec_context
    return AudioStream(
        index=stream.index,
        codec=context.name,
        rate=context.sample_rate or 0,
        channels=context.channels,
        layout=context.layout.name,
        language=_language(stream),
        title=stream.metadata.get("title"),
        default=_has(stream, "default"),
        start=_seconds(stream.start_time, stream.time_base),
        duration=_claimed(stream.duration, stream.time_base),
    )


def _has(stream: Any, name: str) -> bool:
    return name in (stream.disposition.name or "").split("|")


def _is_picture(stream: Any) -> bool:
    return any(_has(stream, name) for name in ("attached_pic", "timed_thumbnails", "still_image"))


def _language(stream: Any) -> str | None:
    language = stream.language
    return language if language and language != "und" else None


def _positive(value: Fraction | None) -> Fraction | None:
    return Fraction(value) if value is not None and value > 0 else None


def _seconds(value: int | None, base: Fraction | None) -> float | None:
    return float(value * base) if value is not None and base is not None else None


def _claimed(value: int | None, base: Fraction | None) -> float | None:
    seconds = _seconds(value, base)
    return seconds if seconds is not None and seconds > 0 else None


def _too_many() -> PermanentError:
    return PermanentError(f"The file has more than {MOST_STREAMS} tracks.")


def _unreadable(path: Path) -> str:
    """Say why nothing opens a file: what its first bytes make of it."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head[4:8] == b"ftyp" or head[4:8] in (b"mdat", b"moov", b"wide", b"free"):
        return "The file is cut off or damaged: the index that an MP4 or MOV file needs is missing or unreadable."
    if head.startswith((b"#EXTM3U", b"ffconcat", b"<MPD")) or b"<MPD" in head:
        return "This is a playlist, not a recording; upload the recording itself."
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "The file is cut off or damaged: it begins like Matroska or WebM, but its header cannot be read."
    return "This is no video or sound file that can be read here."
