"""A chunk's file read into memory, and checked once more."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from worker.pipelines.media.movie import Sample
from worker.pipelines.media.probe import open_media
from worker.pipelines.video.filters import even_rate
from worker.pipelines.video.plan import Chunk, Plan


@dataclass(frozen=True, slots=True)
class Part:
    """The samples of each rendition in a chunk, and the decoders' configurations."""

    tracks: list[list[Sample]]
    settings: list[bytes]


def read(file: Path, chunk: Chunk, plan: Plan) -> Part:
    """Read a chunk whole; it is small.

    Its timestamps only tell in which order frames are shown: frame n of the output begins at n / rate.

    Raises:
        ValueError: it has not the frames that it should have.
    """
    scale = even_rate(plan.rate)
    step = scale / plan.rate
    with closing(open_media(file)) as container:
        streams = list(container.streams.video)
        tracks: list[list[Sample]] = [[] for _ in streams]
        shown: list[list[int]] = [[] for _ in streams]
        for packet in container.demux():
            if packet.size:
                turn = round(packet.pts * packet.time_base * scale / step)
                track = tracks[packet.stream_index]
                track.append(Sample(bytes(packet), turn - len(track), packet.is_keyframe))
                shown[packet.stream_index].append(turn)
        for turns in shown:
            if sorted(turns) != list(range(chunk.frames)):
                raise ValueError(f"{file.name} does not have frames 0 to {chunk.frames - 1}, each once")
        return Part(tracks, [bytes(stream.codec_context.extradata or b"") for stream in streams])
