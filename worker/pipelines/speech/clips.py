"""The plan of recognition: stretches of speech, put together into clips that the model hears at once.

A clip is what faster-whisper's batched pipeline makes of the same speech (``collect_chunks``): as many spans as fit
into 30 s, one directly after the other, without the silence between them. The plan follows from the spans alone, so it
is the same however often the work on it is interrupted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm, Span

#: What Whisper hears at once.
CLIP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Clip:
    """Spans of a recording that are heard as one, in order."""

    spans: tuple[Span, ...]

    @property
    def seconds(self) -> float:
        """Length of what is heard."""
        return sum(span.seconds for span in self.spans)

    @property
    def start(self) -> float:
        """Where its first span begins in the recording."""
        return self.spans[0].start

    @property
    def end(self) -> float:
        """Where its last span ends in the recording."""
        return self.spans[-1].end

    def sound(self, pcm: Pcm) -> NDArray[np.float32]:
        """Read what is heard."""
        return np.concatenate([pcm.read(span.start, span.end) for span in self.spans])

    def place(self, start: float, end: float) -> Span:
        """Say where in the recording something is that was heard from ``start`` to ``end``, seconds of the clip.

        It belongs to the span in which its middle is heard, and ends with it: nobody speaks in the silence behind.
        """
        span, offset = self._span_at((start + end) / 2)
        first = min(max(start - offset, 0.0), span.seconds)
        last = min(max(end - offset, first), span.seconds)
        return Span(span.start + first, span.start + last)

    def _span_at(self, seconds: float) -> tuple[Span, float]:
        """Return the span that is heard at ``seconds``, and where in the clip it begins."""
        ends = list(accumulate(span.seconds for span in self.spans))
        number = next((number for number, end in enumerate(ends) if seconds < end), len(ends) - 1)
        return self.spans[number], ends[number] - self.spans[number].seconds


def plan(spans: Iterable[Span]) -> list[Clip]:
    """Put spans of at most 30 s together into clips of at most 30 s."""
    clips: list[Clip] = []
    held: list[Span] = []
    samples = 0
    for span in spans:
        more = round(span.end * RATE) - round(span.start * RATE)
        if held and samples + more > CLIP_SECONDS * RATE:
            clips.append(Clip(tuple(held)))
            held, samples = [], 0
        held.append(span)
        samples += more
    return [*clips, Clip(tuple(held))] if held else clips


def spread(clips: Sequence[Clip], count: int) -> list[Clip]:
    """Pick ``count`` clips from the whole length of the recording, the first one among them."""
    if len(clips) <= count:
        return list(clips)
    return [clips[number * len(clips) // count] for number in range(count)]
