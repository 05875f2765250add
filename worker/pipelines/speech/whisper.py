"""Whisper by faster-whisper (CTranslate2): clips of sound in, words with their times out.

The model is loaded once in the life of the process. A batch is heard for itself: what comes of it depends neither on
what was heard before nor on what is heard beside it nor on the number of threads, so that work may be cut between
batches. Within one it may not: products of matrices are added up in another order for another size of batch, which
moves words by hundredths of a second. More threads of numpy do so too, which therefore has one, and so do the
instructions of another kind of processor.
"""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE
from worker.pipelines.speech.loops import is_loop
from worker.pipelines.speech.omissions import omissions

#: Seconds from clip to clip in what faster-whisper is given. It shortens the first word after a pause, and takes the
#: end of the clip before for the beginning of the pause: behind so much silence all clips are alike.
_SLOT = 40

#: Nothing was said if the model thinks so and trusts its words less than this (Whisper's ``no_speech_threshold`` …).
_NO_SPEECH, _LOWEST_LOG_PROBABILITY = 0.6, -1.0
#: How a clip is heard again in which the model went round in circles: by search, where Whisper would draw lots.
_AGAIN: dict[str, Any] = {"repetition_penalty": 1.1, "no_repeat_ngram_size": 6}

#: Clips in a batch. On a CPU, four of a small model are as fast as eight, and one of a large model takes long enough;
#: how large it is, the bytes of its file say. The machine must not decide, as a job may go on on another one.
_GPU_BATCH = 16
_CPU_BATCHES = ((250_000_000, 4), (750_000_000, 2))
#: Batches that are heard side by side on a CPU. While one waits for Python and numpy, which use a single processor, the
#: other one computes.
_LISTENERS = 2

#: How often what was left out of a clip is heard, the first time included.
_HEARINGS = 3


Batch = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What decides the words beside model and sound."""

    language: str
    task: str = "transcribe"
    vocabulary: tuple[str, ...] = ()
    beam_size: int = 5


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word with its times in seconds; ``probability`` is the model's confidence, 0 to 1."""

    start: float
    end: float
    word: str
    probability: float

    def moved(self, seconds: float) -> "HeardWord":
        """Return the same word, so much later."""
        return replace(self, start=round(self.start + seconds, 2), end=round(self.end + seconds, 2))


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in one clip. It travels as JSON in the value of a step."""

    words: tuple[HeardWord, ...]

    def to_json(self) -> dict[str, Any]:
        """Give the value of a step."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(tuple(HeardWord(**word) for word in value["words"]))


class Whisper:
    """A loaded model; ``path`` is a directory that CTranslate2 made."""

    def __init__(self, path: Path) -> None:
        import ctranslate2  # noqa: PLC0415 - only the jobs that recognise speech should load it
        from faster_whisper import BatchedInferencePipeline, WhisperModel  # noqa: PLC0415 - as above
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - as above

        self.gpu = ctranslate2.get_cuda_device_count() > 0
        device = "cuda" if self.gpu else "cpu"
        supported = ctranslate2.get_supported_compute_types(device)
        wanted = ("float16", "float32") if self.gpu else ("int8", "float32")
        self.compute_type = next(kind for kind in wanted if kind in supported)
        listeners = 1 if self.gpu else min(_LISTENERS, threads())
        #: Clips in each batch but the last, and how many batches to give at once.
        self.batch = _GPU_BATCH if self.gpu else _cpu_batch((path / "model.bin").stat().st_size)
        self.side_by_side = listeners
        #: faster-whisper's own model
        self.model = WhisperModel(
            str(path),
            device=device,
            compute_type=self.compute_type,
            cpu_threads=threads() // listeners,
            num_workers=listeners,
            local_files_only=True,
        )
        self.listeners = [Listener(BatchedInferencePipeline(self.model)) for _ in range(listeners)]
        self._pool = ThreadPoolExecutor(listeners)
        self._libraries = ThreadpoolController()
        #: Seconds that the last batches took, those that were heard side by side; None before the first.
        self.pace: float | None = None

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages it knows (ISO 639-1, and ``haw``, ``yue``)."""
        return tuple(self.model.supported_languages)

    def language(self, clip: NDArray[np.float32]) -> dict[str, float]:
        """Say how likely each language is to be the one of a clip."""
        with self._libraries.limit(limits=1, user_api="blas"):
            return {name: round(float(likely), 6) for name, likely in self.model.detect_language(audio=clip)[2]}

    def hear(self, batches: Sequence[Batch], recipe: Recipe) -> list[list[Heard]]:
        """Recognise batches of clips of at most 30 s, side by side; times count from the beginning of each clip.

        Not more batches than ``side_by_side``.
        """
        started = time.monotonic()
        with self._libraries.limit(limits=1, user_api="blas"):
            found = self._pool.map(Listener.hear, self.listeners, batches, [recipe] * len(batches))
            said = [[Heard(tuple(words)) for words in clips] for clips in found]
        self.pace = time.monotonic() - started
        return said


class Listener:
    """What one thread hears with; ``pipeline`` is faster-whisper's, which is for one thread at a time."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline

    def hear(self, clips: Batch, recipe: Recipe) -> list[list[HeardWord]]:
        """Recognise clips, and again what was left out of them."""
        heard = self._hear(clips, recipe)
        for _ in range(_HEARINGS - 1):
            missed = [
                (number, gap)
                for number, (clip, said) in enumerate(zip(clips, heard, strict=True))
                if said  # where the model takes all of it for noise, it is noise
                for gap in omissions(said, len(clip) / RATE)
            ]
            if not missed:
                break
            parts = [clips[number][round(gap.start * RATE) : round(gap.end * RATE)] for number, gap in missed]
            for (number, gap), said in zip(missed, self._hear(parts, recipe), strict=True):
                heard[number] = sorted([*heard[number], *(word.moved(gap.start) for word in said)], key=_by_time)
        return heard

    def _hear(self, clips: Batch, recipe: Recipe) -> list[list[HeardWord]]:
        found = self._recognise(clips, recipe)
        for number, segment in enumerate(found):
            if is_loop(segment.tokens):
                again = self._recognise([clips[number]], recipe, **_AGAIN)[0]
                found[number] = segment if is_loop(again.tokens) else again
        return [_words(segment, _SLOT * (number + 1)) for number, segment in enumerate(found)]

    def _recognise(self, clips: Batch, recipe: Recipe, **options: Any) -> list[Any]:
        sound = np.zeros((len(clips) + 1) * _SLOT * RATE, np.float32)
        cuts = []
        for slot, clip in enumerate(clips, 1):
            first = slot * _SLOT * RATE
            sound[first : first + len(clip)] = clip
            # The library cuts fractions of samples off; with half a sample more none is lost to the binary fractions.
            cuts.append({"start": first / RATE, "end": (first + len(clip) + 0.5) / RATE})
        segments, _ = self._pipeline.transcribe(
            sound,
            clip_timestamps=cuts,
            language=recipe.language,
            task=recipe.task,
            hotwords=", ".join(recipe.vocabulary) or None,
            beam_size=recipe.beam_size,
            batch_size=len(clips),
            word_timestamps=True,
            **options,
        )
        return list(segments)


@lru_cache(maxsize=1)
def load(path: Path, identity: str) -> Whisper:  # noqa: ARG001 - other weights may come to lie at the same place
    """Return the model at ``path``, whose weights hash to ``identity``; the last one stays loaded."""
    return Whisper(path)


def likeliest(clips: Sequence[Mapping[str, float]]) -> tuple[str, float]:
    """Return the language that is the likeliest on average of all clips, and how likely it is."""
    average = {name: sum(clip.get(name, 0.0) for clip in clips) / len(clips) for clip in clips for name in clip}
    best = max(sorted(average), key=average.__getitem__)
    return best, round(average[best], 4)


def _cpu_batch(model_bytes: int) -> int:
    return next((clips for most, clips in _CPU_BATCHES if model_bytes <= most), 1)


def _words(segment: Any, offset: float) -> list[HeardWord]:
    """Read what the library found; ``offset`` is where the clip began in what it was given."""
    if segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _LOWEST_LOG_PROBABILITY:
        return []
    words = []
    for word in segment.words or ():
        start, end = (round(max(0.0, float(at) - offset), 2) for at in (word.start, word.end))
        words.append(HeardWord(start, max(start, end), word.word, round(float(word.probability), 4)))
    return words


def _by_time(word: HeardWord) -> float:
    return word.start


def threads() -> int:
    """Return the threads that this process may keep busy: what the operator set, or all CPUs it may run on."""
    return int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
