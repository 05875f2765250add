"""Joining chunks and sound to the files that are published, without encoding anything again."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

from worker.pipelines.media import aac
from worker.pipelines.media.boxes import sample_descriptions
from worker.pipelines.media.movie import Movie, Sample, Track
from worker.pipelines.video.codecs import AAC, codec_string
from worker.pipelines.video.encoders import Output
from worker.pipelines.video.filters import even_rate
from worker.pipelines.video.hls import Fragment, Variant
from worker.pipelines.video.parts import Part, read
from worker.pipelines.video.plan import Chunk, Plan

#: Coded frames of sound in a fragment that has no picture any more: two seconds.
_TAIL = 94


@dataclass(frozen=True, slots=True)
class Joined:
    """A finished file, and what HLS must know about it."""

    output: Output
    path: Path
    variant: Variant


@dataclass(frozen=True, slots=True)
class Sound:
    """The pieces of the sound, in order, and its language (ISO 639-2)."""

    pieces: list[tuple[aac.Piece, Path]]
    language: str | None


@dataclass(frozen=True, slots=True)
class Made:
    """What encoding left: the chunks' files in order, and the sound, if there is any."""

    chunks: list[Path]
    sound: Sound | None


def join(
    plan: Plan, outputs: Sequence[Output], made: Made, folder: Path, told: Callable[[float], None]
) -> list[Joined]:
    """Write every file into ``folder``; chunks are deleted on the way, where they are ours.

    Raises:
        ValueError: the chunks do not fit together.
    """
    with ExitStack() as stack:
        joining = _Joining(plan, outputs, made, folder, stack)
        for chunk, file in zip(plan.chunks, made.chunks, strict=True):
            joining.add(chunk, file)
            with suppress(OSError):  # what an earlier attempt stored is the agent's
                file.unlink()
            told(chunk.end / plan.frames)
        return joining.finish()


class _Joining:
    """All files of a film in the making."""

    def __init__(self, plan: Plan, outputs: Sequence[Output], made: Made, folder: Path, stack: ExitStack) -> None:
        self._plan, self._outputs = plan, outputs
        heard = made.sound
        self._coded: Iterator[Sample] = aac.coded(heard.pieces) if heard else iter(())
        self._heard = heard is not None
        self._taken = 0
        self._settings: list[bytes] = []
        self._fragments: list[list[Fragment]] = [[] for _ in outputs]
        self._paths = [folder / f"{output.kind}.mp4" for output in outputs]
        tracks = _sound_tracks(plan, heard)
        coded = plan.samples // aac.FRAME + 8 if heard else 0
        most = sum(-(-chunk.frames // plan.gop) for chunk in plan.chunks) + coded // _TAIL + 2
        self._movies = [
            stack.enter_context(Movie(path, [track, *tracks], most_samples=plan.frames + coded, most_fragments=most))
            for path, track in zip(self._paths, _picture_tracks(plan, outputs, made.chunks[0]), strict=True)
        ]

    def add(self, chunk: Chunk, file: Path) -> None:
        """Append a chunk to every file, with the sound that belongs to it."""
        plan = self._plan
        part = read(file, chunk, plan)
        self._settings = self._settings or part.settings
        if part.settings != self._settings:
            raise ValueError(f"chunk {chunk.number} was encoded in another way than the first one")
        for start in range(0, chunk.frames, plan.gop):
            end = min(chunk.frames, start + plan.gop)
            until = int((chunk.first + end) / plan.rate * aac.RATE / aac.FRAME) + 1
            playing = list(islice(self._coded, until - self._taken))
            self._taken += len(playing)
            self._append(part, start, end, playing)

    def finish(self) -> list[Joined]:
        """Append the sound that goes on after the last picture, and write the indexes."""
        while playing := list(islice(self._coded, _TAIL)):
            seconds = Fraction(len(playing) * aac.FRAME, aac.RATE)
            for movie, fragments in zip(self._movies, self._fragments, strict=True):
                fragments.append(Fragment(movie.fragment([[], playing]), seconds))
        for movie in self._movies:
            movie.finish()
        return [self._joined(number) for number in range(len(self._outputs))]

    def _append(self, part: Part, start: int, end: int, playing: list[Sample]) -> None:
        for number, movie in enumerate(self._movies):
            shown = part.tracks[number][start:end]
            # A frame of the group before or after would be among them if the group were not closed.
            turns = [start + place + sample.delay for place, sample in enumerate(shown)]
            if not shown[0].key or min(turns) != start or max(turns) != end - 1:
                raise ValueError(f"{self._outputs[number].kind} has no closed group of frames where one was planned")
            where = movie.fragment([shown, playing] if self._heard else [shown])
            self._fragments[number].append(Fragment(where, (end - start) / self._plan.rate))

    def _joined(self, number: int) -> Joined:
        output, size = self._outputs[number], self._outputs[number].size
        codecs = codec_string(self._settings[number]) + (f",{AAC}" if self._heard else "")
        init, fragments = self._movies[number].init, self._fragments[number]
        variant = Variant(output.kind, size.width, size.height, self._plan.rate, codecs, init, fragments)
        return Joined(output, self._paths[number], variant)


def _picture_tracks(plan: Plan, outputs: Sequence[Output], first: Path) -> list[Track]:
    scale = even_rate(plan.rate)
    return [
        Track(scale, int(scale / plan.rate), description, output.size.width, output.size.height)
        for output, description in zip(outputs, sample_descriptions(first), strict=True)
    ]


def _sound_tracks(plan: Plan, heard: Sound | None) -> list[Track]:
    if heard is None:
        return []
    (description,) = sample_descriptions(heard.pieces[0][1])
    return [
        Track(
            aac.RATE,
            aac.FRAME,
            description,
            language=heard.language,
            priming=aac.PRIMING,
            length=plan.samples,
        )
    ]
