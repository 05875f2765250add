"""Who speaks when in a recording, found in steps of a few seconds of work each."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm, Span
from worker.pipelines.speakers.clustering import cluster, means
from worker.pipelines.speakers.embeddings import MODEL, SIZE, embed, model_id
from worker.pipelines.speakers.tracking import TICKS, Voices, pure, track
from worker.pipelines.speakers.turns import Turn, in_order
from worker.pipelines.speakers.windows import FRAMES, Window, groups, windows
from worker.pipelines.speech.voice import FRAME_SECONDS, SpanRules
from worker.pipelines.speech.voice import spans as speech_spans

P = ParamSpec("P")
T = TypeVar("T")

Floats = NDArray[np.float32]

#: Finer than for recognition: pauses of 0.2 s part speakers, and what is around speech is nobody's.
RULES = SpanRules(min_speech_seconds=0.1, min_silence_seconds=0.2, pad_seconds=0.05, max_seconds=float("inf"))


class Steps(Protocol):
    """What is asked of the job."""

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` once in the life of the job."""

    def progress(self, fraction: float, stage: str = "") -> None:
        """Tell how far the job is."""


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
    """Find who speaks when.

    Args:
        job: runs the steps: one for each 100 s of speech or so, and one for all voices together
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
    found = windows(spans, pcm.samples * FRAMES // RATE)
    key = f"speakers/{model_id(model)}/{_digest(found)}"
    begin, end = progress
    parts: list[bytes] = []
    for group in groups(found):
        job.progress(begin + (end - begin) * sum(map(len, parts)) / (2 * SIZE * len(found)), "telling voices apart")
        parts.append(job.step(f"{key}/embeddings/{len(parts)}", _embed, pcm, group, model, threads))
    count = "any" if speakers is None else str(speakers)
    rows = job.step(f"{key}/turns/{count}", _turns, spans, found, parts, _per_tick(probabilities, pcm), speakers)
    return [Turn(start, stop, int(who), bool(overlap)) for start, stop, who, overlap in rows]


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
    found: Sequence[Window],
    parts: Sequence[bytes],
    probabilities: Floats,
    speakers: int | None,
) -> list[tuple[float, float, int, bool]]:
    if not found:
        return []
    embeddings = np.frombuffer(b"".join(parts), "<f2").astype(np.float32).reshape(-1, SIZE)
    voices = Voices(found, embeddings, probabilities)
    chosen = embeddings[pure(found, embeddings)]
    turns = track(spans, voices, means(chosen, cluster(chosen, speakers)))
    return [(round(turn.start, 3), round(turn.end, 3), turn.speaker, turn.overlap) for turn in in_order(turns)]
