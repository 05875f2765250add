"""Encoding a chunk: all renditions from one decoding, in one file with a track for each; checked, frame for frame.

Two chunks are at work at once: while one fills or empties its encoders' look-ahead, the other has the processors busy.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Self

from spotmill import PermanentError
from worker.pipelines.media.ffmpeg import Ffmpeg, source
from worker.pipelines.media.probe import open_media
from worker.pipelines.video import encoders, filters
from worker.pipelines.video.encoders import Output
from worker.pipelines.video.look import TROUBLE, Look, decoding
from worker.pipelines.video.plan import Chunk, Plan
from worker.pipelines.video.settings import Settings

#: Part of a chunk after which the next one is begun.
_BEGIN_NEXT = 0.5
#: In the name of a chunk's file: the decoder found the film damaged there.
DAMAGED = ".damaged"
#: What decoders say of damage. Of frames whose references lie before the place where decoding began they complain, too,
#: but those are not shown.
_DAMAGE = ("error while decoding", "concealing", "orrupt", "Invalid data", "Invalid NAL", "damaged", "invalid as first")


@dataclass
class Encoding:
    """Encodes the chunks of one film in order. Leaving the ``with`` block ends what still runs."""

    path: Path
    index: int
    plan: Plan
    look: Look
    settings: Settings
    outputs: list[Output]
    folder: Path
    told: Callable[[float], None]
    _running: dict[int, Ffmpeg] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._running.values():
            process.end()
        self._running.clear()

    def encode(self, chunk: Chunk) -> Path:
        """Encode one chunk and return its file.

        Raises:
            PermanentError: the film has no frames there that can be decoded.
            RetryableError: the machine is at fault.
        """
        first = self._running.pop(chunk.number, None)
        failure: PermanentError | None = None
        for number, (seek, patient) in enumerate(_tries(chunk)):
            process = first if number == 0 and first is not None else self._begin(chunk, seek, patient=patient)
            try:
                with process:
                    process.wait(lambda progress: self._follow(chunk, progress.frames))
            except PermanentError as error:
                failure = error
                continue
            if self._is_whole(chunk):
                return self._finish(chunk, damaged=patient or _saw_damage(process.lines))
        minutes, seconds = divmod(int(chunk.first / self.plan.rate), 60)
        raise failure or PermanentError(f"The video is damaged at {minutes}:{seconds:02}: no frame there is readable.")

    def _begin(self, chunk: Chunk, seek: float | None, *, patient: bool) -> Ffmpeg:
        seeking = [] if seek is None else ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{seek:.6f}"]
        sizes = [(size, len(list(made))) for size, made in groupby(output.size for output in self.outputs)]
        graph = filters.graph(self.index, self.plan, chunk, self.look, sizes, patient=patient)
        arguments = [
            *decoding(self.settings.max_pixels), "-copyts", *source(self.path, *seeking),
            "-filter_complex", graph, "-fps_mode", "passthrough", "-fflags", "+bitexact", "-flags:v", "+bitexact",
        ]  # fmt: skip
        for number, output in enumerate(self.outputs):
            arguments += ["-map", f"[v{number}]", *encoders.arguments(number, output, self.plan, self.settings)]
        scale = filters.even_rate(self.plan.rate)
        arguments += ["-video_track_timescale", str(scale), "-y", "-f", "mp4", f"file:{self._file(chunk)}"]
        return Ffmpeg(arguments, trouble=TROUBLE)

    def _follow(self, chunk: Chunk, frames: int) -> None:
        self.told((chunk.first + min(frames, chunk.frames)) / self.plan.frames)
        following = chunk.number + 1
        if (
            frames >= _BEGIN_NEXT * chunk.frames
            and following < len(self.plan.chunks)
            and following not in self._running
        ):
            after = self.plan.chunks[following]
            self._running[following] = self._begin(after, *next(iter(_tries(after)))[:1], patient=False)

    def _is_whole(self, chunk: Chunk) -> bool:
        with closing(open_media(self._file(chunk))) as container:
            return [stream.frames for stream in container.streams.video] == [chunk.frames] * len(self.outputs)

    def _finish(self, chunk: Chunk, *, damaged: bool) -> Path:
        file = self._file(chunk)
        return file.rename(file.with_suffix(f"{DAMAGED}.mp4")) if damaged else file

    def _file(self, chunk: Chunk) -> Path:
        return self.folder / f"chunk-{chunk.number:05}.mp4"


def _saw_damage(lines: Iterable[str]) -> bool:
    return any(phrase in line for line in lines for phrase in _DAMAGE)


def _tries(chunk: Chunk) -> list[tuple[float | None, bool]]:
    """Return where decoding may begin, and whether to wait for frames that do not come: the surest way last."""
    return [*((seek, False) for seek in chunk.seeks), (chunk.seeks[0], True)]
