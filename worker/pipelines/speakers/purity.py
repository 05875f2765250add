"""Which windows hold one voice only, so that what is counted is voices and not mixtures of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.speakers.windows import FRAMES, LONG, SHORT, Window

Floats = NDArray[np.float32]
Labels = NDArray[np.int64]

#: A window whose halves are less alike may have a change in it. Of the readers that thresholds were chosen on, 0.75 s
#: of one and of another have less than 0.5 in nearly all cases, two of one reader have more in two cases of three.
_PURE_COSINE = 0.5

#: Chosen windows start so many frames apart at least, so that they hold mostly different sound.
_APART = LONG // 3

#: A shorter window says little about a voice.
_LONG_ENOUGH = FRAMES


def pure(windows: Sequence[Window], halves: Sequence[Window], embeddings: Floats) -> Labels:
    """Choose windows that seem to hold one voice each, those first whose two halves are most alike.

    Args:
        windows: the long ones, from which is chosen
        halves: the short ones
        embeddings: of the short ones
    """
    long_enough = np.array([window.end - window.start >= _LONG_ENOUGH for window in windows])
    if not long_enough.any():
        return np.arange(len(windows))
    likeness = np.where(long_enough, _likeness(windows, halves, embeddings), -1.0)
    starts = np.array([window.start for window in windows])
    free = likeness >= _PURE_COSINE
    chosen = []
    for at in np.argsort(-likeness, kind="stable"):
        if free[at]:
            chosen.append(at)
            free[slice(*np.searchsorted(starts, (starts[at] - _APART + 1, starts[at] + _APART)))] = False
    return np.sort(np.array(chosen)) if chosen else np.flatnonzero(long_enough)


def _likeness(windows: Sequence[Window], halves: Sequence[Window], embeddings: Floats) -> Floats:
    """Compare the beginning of each window with its end."""
    starts = np.array([half.start for half in halves])
    begins = np.searchsorted(starts, [window.start for window in windows])
    ends = np.searchsorted(starts, [window.end - SHORT for window in windows], side="right") - 1
    found: Floats = np.einsum(
        "ij,ij->i", embeddings[np.minimum(begins, len(halves) - 1)], embeddings[np.maximum(ends, 0)]
    )
    return found
