"""A step of recognition is short on a slow machine, and a transcript does not show where steps began."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from worker.pipelines.media.pcm import RATE, Pcm, Span
from worker.pipelines.speech import recognition
from worker.pipelines.speech.clips import Clip
from worker.pipelines.speech.recognition import STEP_SECONDS, recognise
from worker.pipelines.speech.whisper import Heard, HeardWord, Recipe, Whisper, likeliest


class _Slow:
    """Hears each clip's first sample, and takes a while for it by a clock of its own."""

    batch, side_by_side = 4, 2

    def __init__(self, seconds: float) -> None:
        self.pace: float | None = None
        self.now = 0.0
        self.batches: list[int] = []
        self._seconds = seconds

    def monotonic(self) -> float:
        return self.now

    def hear(self, batches: Sequence[Sequence[NDArray[np.float32]]], _recipe: Recipe) -> list[list[Heard]]:
        assert len(batches) <= self.side_by_side
        self.batches += map(len, batches)
        self.pace = self._seconds * max(map(len, batches))
        self.now += self.pace
        return [[Heard((HeardWord(0.0, 0.1, f" {clip[0]:.5f}", 1.0),)) for clip in batch] for batch in batches]


@pytest.fixture
def recording(tmp_path: Path) -> Pcm:
    path = tmp_path / "sound.pcm"
    np.arange(2 * RATE, dtype="<i2").tofile(path)
    return Pcm(path)


CLIPS = [Clip((Span(number / 100, number / 100 + 0.01),)) for number in range(98)]


def _steps(slow: _Slow, pcm: Pcm, monkeypatch: pytest.MonkeyPatch) -> Iterable[tuple[float, list[Heard]]]:
    monkeypatch.setattr(recognition, "time", slow)
    done = 0
    while done < len(CLIPS):
        began = slow.now
        heard = recognise(cast("Whisper", cast("Any", slow)), pcm, CLIPS[done:], Recipe("en"))
        done += len(heard)
        yield slow.now - began, heard


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.4, 4.0, 60.0])
def test_steps_are_short_and_batches_are_always_the_same(
    recording: Pcm, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = _Slow(seconds)
    steps = list(_steps(slow, recording, monkeypatch))
    assert all(spent <= max(STEP_SECONDS, 4 * seconds) for spent, _ in steps)
    assert slow.batches == [4] * 24 + [2]
    assert len(steps) == {0.01: 1, 0.3: 2, 1.4: 13}.get(seconds, 13)
    words = [said.words[0].word for _, part in steps for said in part]
    assert words == [f" {clip.sound(recording)[0]:.5f}" for clip in CLIPS]


def test_the_language_is_that_of_the_whole_recording() -> None:
    """A minute of music at the start does not decide it."""
    music, speech = {"la": 0.6, "de": 0.3, "en": 0.1}, {"de": 0.9, "en": 0.1}
    assert likeliest([music, speech, speech]) == ("de", 0.7)
    assert likeliest([{"en": 0.5, "de": 0.5}]) == ("de", 0.5)
