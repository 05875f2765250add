"""Encoding sound as AAC in pieces of twenty minutes that join without a seam.

A coded frame of AAC hangs on the samples before it. So each piece but the first is begun a little early, and the frames
of that run-up are thrown away; what is kept was coded as if there had been no seam.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from worker.pipelines.media import ffmpeg
from worker.pipelines.media.movie import Sample
from worker.pipelines.media.probe import AudioStream, open_media

RATE = 48_000
#: Samples of a coded frame, and of the silence that the encoder puts first.
FRAME = 1024
PRIMING = 1024
#: Coded frames of a piece: twenty minutes.
PIECE_FRAMES = 56_250
#: Coded frames that are thrown away at the start of a piece (1.4 s), and made beyond its end.
_RUN_UP = 64
_BEYOND = 8
_MARGIN_SECONDS = 2.0
TROUBLE = "The sound cannot be decoded"


@dataclass(frozen=True, slots=True)
class Piece:
    """Coded frames ``first`` to ``end`` (not included) of the whole; ``end`` None is as far as there are any."""

    number: int
    first: int
    end: int | None

    @property
    def run_up(self) -> int:
        """How many frames come before ``first`` in its file."""
        return min(self.first, _RUN_UP)


def pieces(samples: int) -> list[Piece]:
    """Cut a sound of so many samples into pieces."""
    frames = -(-samples // FRAME) + 1
    starts = list(range(0, frames, PIECE_FRAMES))
    if len(starts) > 1 and frames - starts[-1] < PIECE_FRAMES // 10:  # rather a long last one than a stub
        starts.pop()
    return [Piece(n, first, starts[n + 1] if n + 1 < len(starts) else None) for n, first in enumerate(starts)]


@dataclass(frozen=True, slots=True)
class Recording:
    """What is to be coded: ``samples`` of a stream, from second ``start`` of its file's clock."""

    path: Path
    stream: AudioStream
    start: float
    samples: int
    kbps: int


def encode(recording: Recording, piece: Piece, folder: Path, told: Callable[[float], None]) -> Path:
    """Encode a piece of the sound; ``told`` hears which part of it is done.

    Raises:
        PermanentError: it cannot be decoded.
    """
    stream, start, samples = recording.stream, recording.start, recording.samples
    begin = (piece.first - piece.run_up) * FRAME
    end = samples if piece.end is None else min(samples, (piece.end + _BEYOND) * FRAME)
    at = start + begin / RATE - _MARGIN_SECONDS
    seeking = ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{at:.6f}"] if piece.number else []
    layout = "mono" if stream.channels == 1 else "stereo"
    steps = (
        # The piece begins at zero: the resampler counts first_pts in samples of what comes in, whatever their rate is.
        f"asetpts='round(PTS-({start + begin / RATE!r})/TB)'",
        # Holes are filled with silence and overlaps cut, so that the sound stays with the picture.
        f"aresample=osr={RATE}:async=1:min_hard_comp=0.1:first_pts=0:ochl={layout}",
        f"apad=whole_len={end - begin}",
        f"atrim=end_sample={end - begin}",
        "asetpts=N",
    )
    file = folder / f"sound-{piece.number:03}.m4a"
    ffmpeg.run(
        [
            "-max_error_rate", "1", "-copyts", *ffmpeg.source(recording.path, *seeking),
            "-filter_complex", f"[0:{stream.index}]{','.join(steps)}[a]", "-map", "[a]",
            "-c:a", "aac", "-b:a", f"{recording.kbps}k", "-fflags", "+bitexact", "-flags:a", "+bitexact",
            "-map_metadata", "-1", "-use_editlist", "0", "-y", "-f", "mp4", f"file:{file}",
        ],
        trouble=TROUBLE,
        told=lambda progress: told(min(1.0, progress.seconds * RATE / max(1, end - begin))),
    )  # fmt: skip
    return file


def coded(files: list[tuple[Piece, Path]]) -> Iterator[Sample]:
    """Yield the coded frames of the whole sound.

    Raises:
        ValueError: a piece is shorter than planned.
    """
    for piece, file in files:
        with closing(open_media(file)) as container:
            found = (Sample(bytes(packet)) for packet in container.demux(audio=0) if packet.size)
            wanted = None if piece.end is None else piece.end - piece.first
            count = 0
            for sample in islice(found, piece.run_up, None if wanted is None else piece.run_up + wanted):
                count += 1
                yield sample
            if wanted is not None and count != wanted:
                raise ValueError(f"{file.name} has {count} coded frames instead of {wanted}")
