"""Which pieces of a recording are listened to, to tell who speaks: windows inside the stretches of speech."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.pipelines.media.pcm import Span

#: Frames of the features in a second.
FRAMES = 100

#: Length of a window: long enough to know a voice, short enough that most windows hold one.
WINDOW = 150

#: A window starts this many frames after the one before; boundaries are found between them.
HOP = 25

#: A stretch of speech that is shorter than a window makes a window of its own length, but never a shorter one.
SHORTEST = 50

#: Windows of one step: at 15 ms each about 6 s of work on a slow core.
GROUP_WINDOWS = 400

#: A step reads no more sound than this at once.
GROUP_FRAMES = 300 * FRAMES


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of sound; both numbers are frames of 10 ms since the start of the recording."""

    start: int
    end: int


def windows(spans: Sequence[Span], frames: int) -> list[Window]:
    """Cover stretches of speech with windows; ``frames`` is the length of the recording."""
    return [window for span in spans for window in _windows_of(span, frames)]


def groups(found: Sequence[Window]) -> Iterator[Sequence[Window]]:
    """Cut a list of windows into pieces for one step each."""
    first = 0
    for number, window in enumerate(found):
        if number - first == GROUP_WINDOWS or window.end - found[first].start > GROUP_FRAMES:
            yield found[first:number]
            first = number
    if first < len(found):
        yield found[first:]


def _windows_of(span: Span, frames: int) -> list[Window]:
    start, end = round(span.start * FRAMES), min(frames, round(span.end * FRAMES))
    if end - start < SHORTEST:
        start = max(0, min((start + end - SHORTEST) // 2, frames - SHORTEST))
        end = min(frames, start + SHORTEST)
    if end - start <= WINDOW:
        return [Window(start, end)] if end > start else []
    last = end - WINDOW
    return [Window(at, at + WINDOW) for at in (*range(start, last, HOP), last)]
