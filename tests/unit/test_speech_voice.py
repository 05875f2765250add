"""Where somebody speaks is found as faster-whisper finds it, whatever the pieces."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from faster_whisper import vad
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speech import voice
from worker.pipelines.speech.voice import (
    FRAME,
    SpanRules,
    VoicePiece,
    frame_count,
    spans,
    voice_piece,
    voice_probabilities,
)


def _bursts(seconds: float, seed: int = 1) -> NDArray[np.int16]:
    """Make sound that the network takes for speech here and there: noise with harmonics, coming and going."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 2 * np.pi * 120 * time + 8 * np.sin(2 * np.pi * 0.9 * time)
    tone = sum(np.sin(pitch * harmonic) / harmonic for harmonic in range(1, 25))
    loud = (np.sin(2 * np.pi * 0.37 * time) > 0) * (1 + np.sin(2 * np.pi * 4 * time))
    sound = 0.08 * tone * loud + random.normal(0, 0.002, len(time))
    made: NDArray[np.int16] = (np.clip(sound, -1, 1) * 32767).astype("<i2")
    return made


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Pcm:
    path = tmp_path_factory.mktemp("voice") / "sound.pcm"
    path.write_bytes(_bursts(41.3).tobytes())
    return Pcm(path)


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 513, 8 * RATE + 17])
def test_every_frame_is_judged_as_the_library_judges_it(tmp_path: Path, samples: int) -> None:
    path = tmp_path / "sound.pcm"
    path.write_bytes(_bursts(9)[:samples].tobytes())
    pcm = Pcm(path)
    sound = pcm.read(0, pcm.seconds)
    whole = np.pad(sound, (0, FRAME - len(sound) % FRAME))
    expected = vad.get_vad_model()(whole)
    found = voice_probabilities(pcm)
    assert len(found) == len(expected) == frame_count(pcm)
    # The library wipes the last samples of the last frame, by writing into a view of it.
    assert np.array_equal(found[:-1], expected[:-1])


def test_pieces_give_what_the_whole_gives(recording: Pcm, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = voice_probabilities(recording)
    assert np.any(whole > 0.5)
    assert np.any(whole < 0.1)
    monkeypatch.setattr(voice, "PIECE_FRAMES", 301)
    pieces: list[VoicePiece] = []
    for first in range(0, frame_count(recording), 301):
        before = VoicePiece.from_bytes(pieces[-1].to_bytes()) if pieces else None
        pieces.append(voice_piece(recording, first, before))
    assert len(pieces) > 3
    assert np.array_equal(np.concatenate([piece.probabilities for piece in pieces]), whole)


@st.composite
def _probabilities(draw: st.DrawFn) -> NDArray[np.float32]:
    """Draw runs of frames, so that silences of every length come up."""
    runs = draw(st.lists(st.tuples(st.integers(1, 60), st.sampled_from([0.0, 0.3, 0.35, 0.4, 0.5, 0.9])), min_size=1))
    return np.concatenate([np.full(count, value, np.float32) for count, value in runs])


def _library(
    probabilities: NDArray[np.float32], samples: int, rules: SpanRules, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[int, int]]:
    judge: Callable[[object], NDArray[np.float32]] = lambda _: probabilities  # noqa: E731 - in place of the network
    monkeypatch.setattr(vad, "get_vad_model", lambda: judge)
    options = vad.VadOptions(
        threshold=rules.threshold,
        neg_threshold=rules.release,
        min_speech_duration_ms=round(rules.min_speech_seconds * 1000),
        max_speech_duration_s=rules.max_seconds,
        min_silence_duration_ms=round(rules.min_silence_seconds * 1000),
        speech_pad_ms=round(rules.pad_seconds * 1000),
    )
    found = vad.get_speech_timestamps(np.zeros(samples, np.float32), options)
    return [(speech["start"], speech["end"]) for speech in found]


@settings(max_examples=150)
@given(
    probabilities=_probabilities(),
    missing=st.integers(1, FRAME),
    rules=st.builds(
        SpanRules,
        min_speech_seconds=st.sampled_from([0.0, 0.25]),
        min_silence_seconds=st.sampled_from([0.064, 0.16, 0.5, 2.0]),
        pad_seconds=st.sampled_from([0.0, 0.03, 0.4]),
        max_seconds=st.sampled_from([3.0, 30.0, float("inf")]),
    ),
)
def test_speech_begins_and_ends_where_the_library_says(
    probabilities: NDArray[np.float32], missing: int, rules: SpanRules
) -> None:
    samples = len(probabilities) * FRAME - missing
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = _library(probabilities, samples, rules, monkeypatch)
    found = [(round(span.start * RATE), round(span.end * RATE)) for span in spans(probabilities, samples, rules)]
    assert found == expected
    assert all(end <= start for (_, end), (start, _) in pairwise(found))
