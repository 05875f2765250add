"""When one voice follows another: the most likely path through the voices, a tenth of a second at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import Span
from worker.pipelines.speakers.embeddings import unit
from worker.pipelines.speakers.turns import Turn
from worker.pipelines.speakers.windows import FRAMES, HOP, WINDOW, Window

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

#: Ticks in a second: the time that is given to one voice or the other.
TICKS = 10

#: What a cosine counts against the cost of a change. Neither matters much: on the development mixes costs from 1 to 12
#: gave the same error within 0.1 points.
_WEIGHT = 20.0
_CHANGE_COST = 4.0

#: What is left of the cost where nobody seems to speak: changes like pauses.
_PAUSE_COST_SHARE = 0.25

#: How much more the middle of a window counts than its edges.
_SHARPNESS = 4

#: Windows are compared with those so many before and after: a window away, less half.
_REACH = WINDOW // HOP // 2

#: A window whose neighbours are less alike has a change in it.
_PURE_COSINE = 0.5

#: Chosen windows start so many frames apart at least, so that they hold mostly different sound.
_APART = WINDOW // 2

#: A shorter window says little about a voice.
_LONG_ENOUGH = FRAMES


@dataclass(frozen=True, slots=True)
class Voices:
    """What tells who speaks: windows in order, their embeddings, and how likely it is that somebody speaks."""

    windows: Sequence[Window]
    embeddings: Floats
    probabilities: Floats  #: one for each tick


def pure(windows: Sequence[Window], embeddings: Floats) -> Labels:
    """Choose windows that seem to hold one voice each, 0.75 s apart, those first whose neighbours are most alike."""
    likeness = _likeness(windows, embeddings)
    starts = np.array([window.start for window in windows])
    long_enough = np.array([window.end - window.start >= _LONG_ENOUGH for window in windows])
    if not long_enough.any():
        return np.arange(len(windows))
    free = np.ones(len(windows), bool)
    chosen = []
    for at in np.argsort(-likeness, kind="stable"):
        if free[at] and long_enough[at] and likeness[at] >= _PURE_COSINE:
            chosen.append(at)
            free[slice(*np.searchsorted(starts, (starts[at] - _APART + 1, starts[at] + _APART)))] = False
    return np.sort(np.array(chosen)) if chosen else np.flatnonzero(long_enough)


def _likeness(windows: Sequence[Window], embeddings: Floats) -> Floats:
    """Compare what comes just before the middle of each window with what comes just after, in the same speech."""
    spans = np.cumsum([0, *(after.start >= before.end for before, after in pairwise(windows))])
    numbers = np.arange(len(windows))
    first, last = np.searchsorted(spans, spans), np.searchsorted(spans, spans, side="right") - 1
    before, after = np.maximum(numbers - _REACH, first), np.minimum(numbers + _REACH, last)
    found: Floats = np.einsum("ij,ij->i", embeddings[before], embeddings[after])
    return found


def track(spans: Sequence[Span], voices: Voices, centres: Floats) -> list[Turn]:
    """Give every moment of the stretches of speech to one of the voices, of which ``centres`` are the directions."""
    ticks = _ticks(spans, len(voices.probabilities))
    if len(centres) == 1 or not len(ticks):
        return [Turn(span.start, span.end, 0) for span in spans]
    costs = _CHANGE_COST * (_PAUSE_COST_SHARE + (1 - _PAUSE_COST_SHARE) * voices.probabilities[ticks])
    costs[np.diff(ticks, prepend=ticks[0]) > 1] = _CHANGE_COST * _PAUSE_COST_SHARE
    path = np.full(len(voices.probabilities), -1)
    path[ticks] = _best_path(_WEIGHT * evidence(voices, centres)[ticks], costs)
    centres = _centres_again(voices, path, centres)
    path[ticks] = _best_path(_WEIGHT * evidence(voices, centres)[ticks], costs)
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


def _centres_again(voices: Voices, path: Labels, centres: Floats) -> Floats:
    """Take the mean of the windows in which nobody else speaks; a voice that has hardly any keeps its centre."""
    step = FRAMES // TICKS
    ends = np.flatnonzero(np.diff(path, append=-2)) + 1  # of runs of one voice
    owner = np.full(len(voices.windows), -1)
    for number, window in enumerate(voices.windows):
        first, last = window.start // step, window.end // step
        if window.end - window.start >= _LONG_ENOUGH and ends[np.searchsorted(ends, first, side="right")] >= last:
            owner[number] = path[first]
    found = [
        voices.embeddings[owner == voice].mean(axis=0) if np.count_nonzero(owner == voice) > 1 else centres[voice]
        for voice in range(len(centres))
    ]
    return unit(np.stack(found))


def _turns(span: Span, path: Labels) -> list[Turn]:
    first, last = int(span.start * TICKS), int(np.ceil(span.end * TICKS))
    changes = [at for at in range(first + 1, last) if path[at] != path[at - 1]]
    times = [span.start, *(at / TICKS for at in changes), span.end]
    return [
        Turn(start, end, int(path[at])) for start, end, at in zip(times, times[1:], [first, *changes], strict=False)
    ]
