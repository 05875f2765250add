"""Where each frame of a film is in time, learned from its packets and not from its header.

The whole file is read once, without decoding: that is as fast as the disk. So the number of frames is known before the
first one is encoded, and each piece can be checked against it.
"""

from array import array
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotmill import PermanentError
from worker.pipelines.media.probe import VideoStream, open_media, packets

#: Packets that a film may have: 48 hours at 120 frames a second.
_MOST_PACKETS = 21_000_000
#: Packets between two reports of progress.
_OFTEN = 5_000
#: A clock that goes back or ahead by more, from one frame to the next, was set anew.
_BACK_SECONDS, _AHEAD_SECONDS = 1, 10


@dataclass(frozen=True, slots=True)
class Sound:
    """When the chosen sound begins and ends, in seconds of the file's own time line."""

    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of a film: when they are shown, sorted, in units of ``base`` seconds, and which are keyframes.

    ``times`` are the file's own, so the first one need not be 0. ``jumps`` says that the clock of the file is set anew
    somewhere, as where recordings were glued together.
    """

    base: Fraction
    times: NDArray[np.int64]
    keys: NDArray[np.int64]
    sound: Sound | None
    jumps: bool


def scan(path: Path, video: VideoStream, audio_index: int | None, told: Callable[[float], None]) -> Frames:
    """Read the packets of a film and of its sound; ``told`` hears which part of the file is read.

    Raises:
        PermanentError: it has no frame with a time, or too many.
    """
    from av.stream import Discard  # noqa: PLC0415 - 40 MB of libraries that only media jobs need

    seen, heard = _Seen(), _Heard()
    size = max(1, path.stat().st_size)
    with closing(open_media(path)) as container:
        wanted = [container.streams[i] for i in (video.index, audio_index) if i is not None]
        for stream in container.streams:
            if stream not in wanted:
                stream.discard = Discard.all
        for number, packet in enumerate(packets(container, wanted)):
            if number % _OFTEN == 0:
                told(min(1.0, max(0, packet.pos or 0) / size))
            if number > _MOST_PACKETS:
                raise PermanentError("The video has too many frames.")
            (seen if packet.stream_index == video.index else heard).add(packet)
    if not seen.times:
        raise PermanentError("The video has no frame that can be read.")
    return Frames(
        base=video.time_base,
        times=np.unique(np.array(seen.times, np.int64)),
        keys=np.unique(np.array(seen.keys, np.int64)),
        sound=Sound(heard.start, heard.end) if heard.start < heard.end else None,
        jumps=seen.jumps,
    )


class _Seen:
    """The film's packets so far."""

    def __init__(self) -> None:
        self.times, self.keys = array("q"), array("q")
        self.jumps = False
        self._latest: int | None = None

    def add(self, packet: Any) -> None:
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            return
        self.times.append(time)
        if packet.is_keyframe:
            self.keys.append(time)
        if packet.dts is not None:
            if self._latest is not None:
                self.jumps |= not -_BACK_SECONDS < (packet.dts - self._latest) * packet.time_base < _AHEAD_SECONDS
            self._latest = packet.dts


class _Heard:
    """The sound's packets so far."""

    def __init__(self) -> None:
        self.start, self.end = float("inf"), float("-inf")

    def add(self, packet: Any) -> None:
        if packet.pts is not None:
            start = float(packet.pts * packet.time_base)
            self.start = min(self.start, start)
            self.end = max(self.end, start + float((packet.duration or 0) * packet.time_base))
