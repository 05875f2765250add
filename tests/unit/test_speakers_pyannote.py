"""The optional engine, as far as it can be tried without PyTorch."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pyannote.core import Annotation, Segment

from spotmill import Model, RetryableError
from tests.memory_job import MemoryJob
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speakers.pyannote import diarise_with_pyannote
from worker.pipelines.speakers.turns import Turn


@pytest.fixture
def pcm(tmp_path: Path) -> Pcm:
    path = tmp_path / "sound.pcm"
    path.write_bytes(bytes(2 * RATE * 8))
    return Pcm(path)


@pytest.fixture
def model(tmp_path: Path) -> Model:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.yaml").write_text("version: 4.0.0\n")
    return Model(folder, "cafe")


def job(pcm: Pcm) -> MemoryJob:
    return MemoryJob(pcm.path, pcm.path.parent)


def install(monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> None:
    """Stand in for torch and pyannote.audio, whose pipeline finds two speakers who overlap."""
    annotation = Annotation()
    annotation[Segment(0, 5), 0] = "SPEAKER_01"
    annotation[Segment(4, 8), 1] = "SPEAKER_00"

    class Pipeline:
        @classmethod
        def from_pretrained(cls, path: str) -> "Pipeline":
            asked.append(path)
            return cls()

        def __call__(self, sound: dict[str, Any], **wanted: int) -> SimpleNamespace:
            asked.append((sound["waveform"].shape, sound["sample_rate"], wanted))
            return SimpleNamespace(speaker_diarization=annotation)

    torch, audio = ModuleType("torch"), ModuleType("pyannote.audio")
    vars(torch).update(from_numpy=np.asarray, cuda=SimpleNamespace(is_available=lambda: False))
    vars(audio).update(Pipeline=Pipeline)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "pyannote.audio", audio)


def test_overlapping_speakers_become_turns(monkeypatch: pytest.MonkeyPatch, pcm: Pcm, model: Model) -> None:
    asked: list[Any] = []
    install(monkeypatch, asked)
    assert diarise_with_pyannote(job(pcm), pcm, model) == [
        Turn(0, 4, 0),
        Turn(4, 5, 1, overlap=True),
        Turn(4, 5, 0, overlap=True),
        Turn(5, 8, 1),
    ]
    assert asked[:2] == [str(model.path), ((1, 8 * RATE), RATE, {})]


def test_a_known_count_is_passed_on(monkeypatch: pytest.MonkeyPatch, pcm: Pcm, model: Model) -> None:
    asked: list[Any] = []
    install(monkeypatch, asked)
    diarise_with_pyannote(job(pcm), pcm, model, speakers=2)
    assert asked[1][2] == {"num_speakers": 2}


def test_a_worker_without_it_says_so(monkeypatch: pytest.MonkeyPatch, pcm: Pcm, model: Model) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(RetryableError, match=r'cannot run the speaker engine "pyannote".*choose the engine "campplus"'):
        diarise_with_pyannote(job(pcm), pcm, model)


def test_weights_that_are_no_pipeline_are_refused(monkeypatch: pytest.MonkeyPatch, pcm: Pcm, tmp_path: Path) -> None:
    install(monkeypatch, [])
    with pytest.raises(RetryableError, match=r"has no config.yaml"):
        diarise_with_pyannote(job(pcm), pcm, Model(tmp_path, "cafe"))
