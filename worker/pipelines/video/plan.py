"""How a film is cut into chunks: decided once, stored as a step, and followed by every attempt.

A chunk is a range of ticks of the output's clock, so nothing falls between two of them or into both. Where the film has
a keyframe near, a chunk begins there, because decoding has to begin at one.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from worker.pipelines.video.sizes import Size

#: Seconds between two keyframes of a rendition, and so the shortest HLS segment.
GOP_SECONDS = 2
#: Seconds of work (of one core) that a chunk should take; two are at work at once, and a power cut loses both.
WORK_SECONDS = 14.0
#: Seconds of one core for a million pixels that come out, by preset; measured with three renditions, decoding included.
_WORK = {
    "ultrafast": 0.008,
    "superfast": 0.011,
    "veryfast": 0.015,
    "faster": 0.025,
    "fast": 0.032,
    "medium": 0.04,
    "slow": 0.07,
}
_DECODING = 0.006
_TONE_MAPPING = 0.08
_AV1 = {4: 1.2, 5: 0.8, 6: 0.5, 7: 0.35, 8: 0.2, 9: 0.15, 10: 0.1, 11: 0.08, 12: 0.06, 13: 0.05}
_SHORTEST, _LONGEST = 2.0, 30.0
#: How far a chunk's end may move towards a keyframe of the film, as a part of its length.
_SLACK = 0.3


@dataclass(frozen=True, slots=True)
class Chunk:
    """Frames ``first`` to ``end`` (not included) of the renditions.

    ``seeks`` are seconds on the film's time line where decoding may begin, tried in turn; None is its beginning.
    """

    number: int
    first: int
    end: int
    seeks: tuple[float | None, ...]

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided about a film before a frame is encoded.

    ``origin`` is the time of its first frame in units of ``base``; ``lead`` is how many times that frame is shown in
    advance, because the sound begins earlier. ``samples`` is how many samples of sound there are at 48 kHz, from the
    first frame of the output on; 0 is silence. ``repeated`` and ``dropped`` count frames that the constant rate cost.
    ``rewrapped``: the plan is for a copy of the film with its clock mended.
    """

    rate: Fraction
    base: Fraction
    origin: int
    frames: int
    lead: int
    gop: int
    sizes: tuple[Size, ...]
    chunks: tuple[Chunk, ...]
    encoder: str
    samples: int
    constant: bool
    source_frames: int
    repeated: int
    dropped: int
    rewrapped: bool

    @property
    def seconds(self) -> float:
        """How long the film is."""
        return float(self.frames / self.rate)

    @property
    def start(self) -> float:
        """Where the output begins on the film's own time line, in seconds."""
        return float(self.origin * self.base - self.lead / self.rate)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can keep it."""
        return asdict(self) | {"rate": str(self.rate), "base": str(self.base)}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Plan":
        """Undo ``to_json``."""
        chunks = tuple(Chunk(**{**chunk, "seeks": tuple(chunk["seeks"])}) for chunk in told["chunks"])
        sizes = tuple(Size(**size) for size in told["sizes"])
        exact = {name: Fraction(told[name]) for name in ("rate", "base")}
        return cls(**told | exact | {"chunks": chunks, "sizes": sizes})


def chunk_seconds(
    sizes: Sequence[Size], rate: Fraction, pixels: int, preset: str, av1: int | None, *, hdr: bool
) -> float:
    """Return how many seconds of film a chunk may have; ``pixels`` are the film's own, ``av1`` a preset or None."""
    each = _WORK[preset] + (_AV1[av1] if av1 is not None else 0.0)
    work = sum(size.width * size.height for size in sizes) * each + pixels * _DECODING
    if hdr:
        work += sizes[0].width * sizes[0].height * _TONE_MAPPING
    return min(_LONGEST, max(_SHORTEST, WORK_SECONDS / (work / 1e6 * float(rate))))


def cut(frames: int, keys: Sequence[int], target: int) -> list[tuple[int, int]]:
    """Cut ``frames`` into ranges of about ``target``, at keyframes of the film (``keys``, sorted) where one is near."""
    ranges: list[tuple[int, int]] = []
    first = 0
    slack = int(target * _SLACK)
    while first < frames:
        end = first + target
        if end + slack >= frames:
            end = frames
        else:
            near = [
                key for key in keys[bisect_right(keys, end - slack) : bisect_right(keys, end + slack)] if key > first
            ]
            end = min(near, key=lambda key: abs(key - end)) if near else end
        ranges.append((first, end))
        first = end
    return ranges


def seeks(
    first: int, keys: Sequence[int], times: Sequence[float], *, margin: int, exact: bool
) -> tuple[float | None, ...]:
    """Say where decoding may begin so that frame ``first`` comes out right.

    ``keys`` are ticks of keyframes and ``times`` their seconds. ``margin`` is how many frames before ``first`` must be
    decoded as well. ``exact``: the container has an index of keyframes, so that a seek between two of them finds the
    first; ffmpeg goes 3/23 s back by itself where a stream has B-frames and seeks are by decoding time
    (``ffmpeg_demux.c``).
    """
    place = bisect_right(keys, first - margin) - 1
    if place < 0:
        return (None,)
    at = times[place]
    follows = times[place + 1] - at if place + 1 < len(times) else 1.0
    tried = [at + min(0.14, follows / 2) if exact else at - 1.0]
    if place > 0:
        tried.append(times[place - 1] - (0.0 if exact else 3.0))
    tried.append(at - 15.0)
    return (*(max(time, times[0]) for time in tried if time > times[0]), None)
