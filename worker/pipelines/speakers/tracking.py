"""When one voice follows another: the most likely path through the voices, a tenth of a second at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import Span
from worker.pipelines.speakers.embeddings import unit
from worker.pipelines.speakers.turns import Turn
from worker.pipelines.speakers.windows import FRAMES, Window

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

#: Ticks in a second: the time that is given to one voice or the other.
TICKS = 10

#: What a cosine counts against the cost of a change.
_WEIGHT = 20.0
_CHANGE_COST = 2.0

#: What is left of the cost where nobody seems to speak: changes like pauses.
_PAUSE_COST_SHARE = 0.25

#: How much more the middle of a window counts than its edges.
_SHARPNESS = 4

#: How often the path is found with short windows.
_SHORT_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Voices:
    """What tells who speaks: windows in order, their embeddings, and how likely it is that somebody speaks."""

    windows: Sequence[Window]
    embeddings: Floats
    probabilities: Floats  #: one for each tick


def track(spans: Sequence[Span], long: Voices, short: Voices, centres: Floats) -> list[Turn]:
    """Give every moment of the stretches of speech to one of the voices.

    Long windows know voices better, short ones know better when they change: the first path follows the long windows,
    the others the short ones, with the voices as they are in the path before.

    Args:
        spans: where there is speech
        long: the long windows
        short: the short ones
        centres: the voices' directions among the long ones
    """
    ticks = _ticks(spans, len(long.probabilities))
    if len(centres) == 1 or not len(ticks):
        return [Turn(span.start, span.end, 0) for span in spans]
    costs = _CHANGE_COST * (_PAUSE_COST_SHARE + (1 - _PAUSE_COST_SHARE) * long.probabilities[ticks])
    costs[np.diff(ticks, prepend=ticks[0]) > 1] = _CHANGE_COST * _PAUSE_COST_SHARE
    path = np.full(len(long.probabilities), -1)
    for voices in (long, *[short] * _SHORT_ROUNDS):
        path[ticks] = _best_path(_WEIGHT * evidence(voices, centres)[ticks], costs)
        centres = _centres(short.embeddings, _inside(short.windows, path), centres)
    return [turn for span in spans for turn in _turns(span, path)]


def evidence(voices: Voices, centres: Floats) -> Floats:
    """Give the cosine of each tick's sound and each voice: the mean over the windows that hold it, mostly its middle.

    Returns:
        shape (ticks, voices)
    """
    cosines = voices.embeddings @ centres.T
    total = np.zeros((len(voices.probabilities), len(centres)), np.float32)
    weight = np.zeros((len(voices.probabilities), 1), np.float32)
    step = FRAMES // TICKS
    for window, cosine in zip(voices.windows, cosines, strict=True):
        first, last = window.start // step, min(-(-window.end // step), len(total))
        places = np.arange(1, last - first + 1, dtype=np.float32)
        shape = (np.minimum(places, places[::-1]) / max(1, last - first))[:, None] ** _SHARPNESS
        total[first:last] += shape * cosine
        weight[first:last] += shape
    return (total / np.maximum(weight, np.float32(1e-9))).astype(np.float32)


def _ticks(spans: Sequence[Span], count: int) -> Labels:
    speech = np.zeros(count, bool)
    for span in spans:
        speech[int(span.start * TICKS) : int(np.ceil(span.end * TICKS))] = True
    return np.flatnonzero(speech)


def _best_path(gains: Floats, costs: Floats) -> Labels:
    """Viterbi's algorithm; ``costs`` are of changing to another voice at each tick."""
    length, count = gains.shape
    came_from = np.zeros((length, count), np.int16)
    stay = np.arange(count)
    score = gains[0].astype(np.float64)
    for at in range(1, length):
        best = int(score.argmax())
        changed = score[best] - costs[at]
        came_from[at] = np.where(score >= changed, stay, best)
        score = np.maximum(score, changed) + gains[at]
    path = np.zeros(length, np.int64)
    at_voice = int(score.argmax())
    for at in range(length - 1, -1, -1):
        path[at] = at_voice
        at_voice = int(came_from[at, at_voice])
    return path


def _inside(windows: Sequence[Window], path: Labels) -> Labels:
    """Give the voice of each window whose ticks are all one voice's, and -1 for the others."""
    step = FRAMES // TICKS
    ends = np.flatnonzero(np.diff(path, append=-2)) + 1  # of runs of one voice
    owners = np.full(len(windows), -1)
    for number, window in enumerate(windows):
        first, last = window.start // step, window.end // step
        if ends[np.searchsorted(ends, first, side="right")] >= last:
            owners[number] = path[first]
    return owners


def _centres(embeddings: Floats, owners: Labels, otherwise: Floats) -> Floats:
    """Take the mean of each voice's windows; a voice that has hardly any keeps the centre it had."""
    own = [embeddings[owners == voice] for voice in range(len(otherwise))]
    return unit(
        np.stack([some.mean(axis=0) if len(some) > 1 else old for some, old in zip(own, otherwise, strict=True)])
    )


def _turns(span: Span, path: Labels) -> list[Turn]:
    first, last = int(span.start * TICKS), int(np.ceil(span.end * TICKS))
    changes = [at for at in range(first + 1, last) if path[at] != path[at - 1]]
    times = [span.start, *(at / TICKS for at in changes), span.end]
    return [
        Turn(start, end, int(path[at])) for start, end, at in zip(times, times[1:], [first, *changes], strict=False)
    ]
