"""Who speaks when in a recording, found in steps of a few seconds of work each."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm, Span
from worker.pipelines.speakers.clustering import cluster, means
from worker.pipelines.speakers.embeddings import MODEL, SIZE, embed, model_id
from worker.pipelines.speakers.overlaps import with_overlaps
from worker.pipelines.speakers.purity import pure
from worker.pipelines.speakers.segmentation import CLASSES, LENGTH, classes
from worker.pipelines.speakers.segmentation import MODEL as SEGMENTATION
from worker.pipelines.speakers.segmentation import groups as segmentation_groups
from worker.pipelines.speakers.segmentation import starts as segmentation_starts
from worker.pipelines.speakers.steps import Steps
from worker.pipelines.speakers.tracking import TICKS, Voices, track
from worker.pipelines.speakers.turns import Turn, in_order
from worker.pipelines.speakers.windows import FRAMES, Window, groups, long_windows, short_windows
from worker.pipelines.speech.voice import FRAME_SECONDS, SpanRules
from worker.pipelines.speech.voice import spans as speech_spans

Floats = NDArray[np.float32]

#: Finer than for recognition: pauses of 0.2 s part speakers, and what is around speech is nobody's.
RULES = SpanRules(min_speech_seconds=0.1, min_silence_seconds=0.2, pad_seconds=0.05, max_seconds=float("inf"))

#: How much of the work is finding voices; the rest is hearing two at once.
_VOICES_SHARE = 0.8


def diarise(
    job: Steps,
    pcm: Pcm,
    probabilities: Floats,
    *,
    speakers: int | None = None,
    model: Path = MODEL,
    threads: int = 1,
    progress: tuple[float, float] = (0.0, 1.0),
) -> list[Turn]:
    """Find who speaks when, and where two speak at once.

    Args:
        job: runs the steps: some for each few minutes of speech, and one for all voices together
        pcm: the recording
        probabilities: that somebody speaks, of each frame of ``speech.voice``
        speakers: how many there are, if it is known
        model: CAM++ as an ONNX file
        threads: of the processor, to use at once; the result does not depend on it
        progress: where these steps begin and end in the job's progress

    Returns:
        turns by their start, speakers numbered in the order in which they first speak
    """
    spans = speech_spans(probabilities, pcm.samples, RULES)
    frames = pcm.samples * FRAMES // RATE
    long, short = long_windows(spans, frames), short_windows(spans, frames)
    key = f"speakers/{model_id(model)}/{_digest(long)}"
    plan = [*groups(long), *groups(short)]
    parts: list[bytes] = []
    for number, group in enumerate(plan):
        job.progress(_between(progress, _VOICES_SHARE * number / len(plan)), "telling voices apart")
        parts.append(job.step(f"{key}/embeddings/{number}", _embed, pcm, group, model, threads))
    count = "any" if speakers is None else str(speakers)
    quiet = _per_tick(probabilities, pcm)
    rows = job.step(f"{key}/turns/{count}", _turns, spans, (long, short), parts, quiet, speakers)
    turns = [Turn(start, stop, int(who), bool(overlap)) for start, stop, who, overlap in rows]
    rest = (_between(progress, _VOICES_SHARE), progress[1])
    if len({turn.speaker for turn in turns}) > 1:
        turns = _overlapping(job, pcm, (spans, turns), threads, rest)
    job.progress(progress[1], "telling voices apart")
    return turns


def _overlapping(
    job: Steps, pcm: Pcm, found: tuple[Sequence[Span], Sequence[Turn]], threads: int, progress: tuple[float, float]
) -> list[Turn]:
    """Find where two speak at once; ``found`` is where there is speech, and turns that share no moment."""
    spans, turns = found
    starts = segmentation_starts(spans, pcm.seconds)
    key = f"speakers/{model_id(SEGMENTATION)}/{sha256(np.array(starts, '<i4').tobytes()).hexdigest()[:16]}"
    plan = list(segmentation_groups(starts))
    parts: list[bytes] = []
    for number, group in enumerate(plan):
        job.progress(_between(progress, number / len(plan)), "listening for two voices at once")
        parts.append(job.step(f"{key}/segmentation/{number}", _classes, pcm, group, threads))
    said = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, LENGTH, len(CLASSES))
    return [
        Turn(round(turn.start, 3), round(turn.end, 3), turn.speaker, turn.overlap)
        for turn in with_overlaps(turns, starts, said)
    ]


def _classes(pcm: Pcm, group: Sequence[int], threads: int) -> bytes:
    return classes(pcm, group, threads=threads).tobytes()


def _between(limits: tuple[float, float], share: float) -> float:
    return limits[0] + share * (limits[1] - limits[0])


def _digest(found: Sequence[Window]) -> str:
    """Name the windows, and so what the voice detector said of the recording."""
    return sha256(np.array([(window.start, window.end) for window in found], "<i4").tobytes()).hexdigest()[:16]


def _embed(pcm: Pcm, group: Sequence[Window], model: Path, threads: int) -> bytes:
    return embed(pcm, group, model, threads).astype("<f2").tobytes()


def _per_tick(probabilities: Floats, pcm: Pcm) -> Floats:
    """Give the least probability within a tenth of a second of the start of each tick: changes hide in short pauses."""
    edges = np.arange(-1, int(pcm.seconds * TICKS) + 3) / TICKS / FRAME_SECONDS
    frames = np.clip(edges.astype(int), 0, len(probabilities) - 1)
    least = np.minimum.reduceat(probabilities, frames) if len(probabilities) else np.ones(len(frames), np.float32)
    found: Floats = np.minimum(least[:-2], least[1:-1])
    return found


def _turns(
    spans: Sequence[Span],
    found: tuple[Sequence[Window], Sequence[Window]],
    parts: Sequence[bytes],
    probabilities: Floats,
    speakers: int | None,
) -> list[tuple[float, float, int, bool]]:
    long, short = found
    if not long:
        return []
    embeddings = np.frombuffer(b"".join(parts), "<f2").astype(np.float32).reshape(-1, SIZE)
    apart = Voices(long, embeddings[: len(long)], probabilities)
    close = Voices(short, embeddings[len(long) :], probabilities)
    chosen = apart.embeddings[pure(long, short, close.embeddings)]
    turns = track(spans, apart, close, means(chosen, cluster(chosen, speakers)))
    return [(round(turn.start, 3), round(turn.end, 3), turn.speaker, turn.overlap) for turn in in_order(turns)]
