"""Which pieces of a recording are listened to, to tell who speaks: windows inside the stretches of speech."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from worker.pipelines.media.pcm import Span

#: Frames of the features in a second.
FRAMES = 100

#: Long windows tell voices apart: 1.5 s are enough to know a voice, and most of them hold only one.
LONG = 150

#: Short windows tell when one voice follows another. On the development mixes with quick turns 0.39 % of the speech
#: went to the wrong voice with windows of 0.75 s, 0.95 % with 1 s, and 2.76 % with 1.5 s.
SHORT = 75

#: Windows start so many frames after each other where there is little speech, and each counts; short ones do always.
DENSE_HOP = 25

#: Where there is plenty of speech, long windows need not start as often.
SPARSE_HOP = 75
PLENTY_SECONDS = 300.0

#: A stretch of speech that is shorter than a window makes a window of its own length, but never a shorter one.
SHORTEST = 50

#: Windows of one step: at 15 ms each about 6 s of work on a slow core. Short ones take half of that.
GROUP_WINDOWS = 400

#: A step reads no more sound than this at once.
GROUP_FRAMES = 300 * FRAMES


@dataclass(frozen=True, slots=True)
class Window:
    """A piece of sound; both numbers are frames of 10 ms since the start of the recording."""

    start: int
    end: int


def long_windows(spans: Sequence[Span], frames: int) -> list[Window]:
    """Cover stretches of speech with windows that tell voices apart; ``frames`` has the recording."""
    hop = DENSE_HOP if sum(span.seconds for span in spans) < PLENTY_SECONDS else SPARSE_HOP
    return [window for span in spans for window in _windows_of(span, frames, LONG, hop)]


def short_windows(spans: Sequence[Span], frames: int) -> list[Window]:
    """Cover stretches of speech with windows that tell when voices change; ``frames`` has the recording."""
    return [window for span in spans for window in _windows_of(span, frames, SHORT, DENSE_HOP)]


def groups(found: Sequence[Window]) -> Iterator[Sequence[Window]]:
    """Cut a list of windows into pieces for one step each."""
    first = 0
    for number, window in enumerate(found):
        if number - first == GROUP_WINDOWS or window.end - found[first].start > GROUP_FRAMES:
            yield found[first:number]
            first = number
    if first < len(found):
        yield found[first:]


def _windows_of(span: Span, frames: int, length: int, hop: int) -> list[Window]:
    start, end = round(span.start * FRAMES), min(frames, round(span.end * FRAMES))
    if end - start < SHORTEST:
        start = max(0, min((start + end - SHORTEST) // 2, frames - SHORTEST))
        end = min(frames, start + SHORTEST)
    if end - start <= length:
        return [Window(start, end)] if end > start else []
    last = end - length
    return [Window(at, at + length) for at in (*range(start, last, hop), last)]
