"""Clips recognised group by group, each group one step: as many batches as are heard in some ten seconds.

How many those are depends on the machine, and changes nothing but where the work may be interrupted: a batch always
holds the same clips, because what lies beside a clip decides the last bits of its times.
"""

import time
from collections.abc import Callable, Sequence

from worker.pipelines.media.pcm import Pcm
from worker.pipelines.speech.clips import Clip
from worker.pipelines.speech.whisper import Heard, Recipe, Whisper

#: Seconds of work that a step may take, where its first batches do not take longer.
STEP_SECONDS = 10.0


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
        if heard and (whisper.pace or 0.0) > left:
            break
        end = len(heard) + whisper.batch * whisper.side_by_side
        now = [clip.sound(pcm) for clip in clips[len(heard) : end]]
        batches = [now[first : first + whisper.batch] for first in range(0, len(now), whisper.batch)]
        for said in whisper.hear(batches, recipe):
            heard += said
        told(len(heard))
    return heard
