"""Clips recognised group by group, each group one step: as many clips as are heard in some ten seconds.

How many those are depends on the model and the machine, and on a CPU changes nothing but where the work may be
interrupted: each clip is heard for itself.
"""

import time
from collections.abc import Callable, Sequence

from worker.pipelines.media.pcm import Pcm
from worker.pipelines.speech.clips import Clip
from worker.pipelines.speech.whisper import Heard, Recipe, Whisper

#: Seconds of work that a step may take, where a single clip does not take longer.
STEP_SECONDS = 10.0

#: Clips in a batch: more than these are not faster.
CPU_BATCH, GPU_BATCH = 8, 16


def recognise(
    whisper: Whisper,
    pcm: Pcm,
    clips: Sequence[Clip],
    recipe: Recipe,
    told: Callable[[int], None] = lambda _: None,
) -> list[Heard]:
    """Recognise as many clips as one step should hold, from the first one on; ``told`` hears how many are done."""
    started = time.monotonic()
    heard: list[Heard] = []
    while len(heard) < len(clips):
        left = STEP_SECONDS - (time.monotonic() - started)
        count = batch_size(whisper.pace, left, fixed=whisper.gpu, begun=bool(heard))
        if count == 0:
            break
        batch = clips[len(heard) : len(heard) + count]
        heard += whisper.hear([clip.sound(pcm) for clip in batch], recipe)
        told(len(heard))
    return heard


def batch_size(pace: float | None, left: float, *, fixed: bool, begun: bool) -> int:
    """Say how many clips to hear next, when a clip takes ``pace`` and a step has ``left`` seconds; 0 ends the step.

    ``fixed`` batches are always of the same clips, because their size decides the last bits of the result. A step that
    has ``begun`` goes on for a whole batch only, since smaller ones take longer for each clip.
    """
    if fixed:
        return GPU_BATCH if not begun or (pace or 0.0) * GPU_BATCH <= left else 0
    if pace is None:
        return 1
    fitting = int(left / max(pace, 1e-6))
    if begun:
        return CPU_BATCH if fitting >= CPU_BATCH else 0
    return min(CPU_BATCH, max(1, fitting))
