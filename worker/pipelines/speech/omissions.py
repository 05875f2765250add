"""What Whisper leaves out: it ends a clip early now and then, above all where sentences resemble each other.

A clip is speech from end to end, so a stretch of it without words was not heard, and is worth another hearing.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

from worker.pipelines.media.pcm import Span

#: Shorter stretches without words are pauses, breath, and the silence that is left around speech.
LEAST_SECONDS = 3.0


class Timed(Protocol):
    """A word, or anything else that has its time."""

    @property
    def start(self) -> float:
        """Seconds from the start of the clip."""

    @property
    def end(self) -> float:
        """Seconds from the start of the clip."""


def omissions(words: Sequence[Timed], seconds: float) -> list[Span]:
    """Give the stretches of a clip, ``seconds`` long, in which there is no word."""
    edges: list[Timed] = [Span(0.0, 0.0), *words, Span(seconds, seconds)]
    return [
        Span(before.end, after.start) for before, after in pairwise(edges) if after.start - before.end >= LEAST_SECONDS
    ]
