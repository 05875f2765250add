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
from worker.pipelines.speech.recognition import CPU_BATCH, GPU_BATCH, STEP_SECONDS, batch_size, recognise
from worker.pipelines.speech.whisper import Heard, HeardWord, Recipe, Whisper, likeliest


class _Slow:
    """Hears each clip's first sample, and takes a while for it by a clock of its own."""

    def __init__(self, seconds: float, *, gpu: bool = False) -> None:
        self.gpu = gpu
        self.pace: float | None = None
        self.now = 0.0
        self.batches: list[int] = []
        self._seconds = seconds

    def monotonic(self) -> float:
        return self.now

    def hear(self, clips: Sequence[NDArray[np.float32]], _recipe: Recipe) -> list[Heard]:
        self.batches.append(len(clips))
        self.now += self._seconds * len(clips)
        self.pace = self._seconds
        return [Heard((HeardWord(0.0, 0.1, f" {clip[0]:.5f}", 1.0),)) for clip in clips]


@pytest.fixture
def recording(tmp_path: Path) -> Pcm:
    path = tmp_path / "sound.pcm"
    np.arange(2 * RATE, dtype="<i2").tofile(path)
    return Pcm(path)


CLIPS = [Clip((Span(number / 100, number / 100 + 0.01),)) for number in range(100)]


def _steps(slow: _Slow, pcm: Pcm, monkeypatch: pytest.MonkeyPatch) -> Iterable[tuple[float, list[Heard]]]:
    monkeypatch.setattr(recognition, "time", slow)
    done = 0
    while done < len(CLIPS):
        began = slow.now
        heard = recognise(cast("Whisper", cast("Any", slow)), pcm, CLIPS[done:], Recipe("en"))
        done += len(heard)
        yield slow.now - began, heard


@pytest.mark.parametrize("seconds", [0.01, 0.3, 1.4, 4.0, 9.0, 60.0])
def test_steps_are_short_and_change_nothing(recording: Pcm, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = _Slow(seconds)
    steps = list(_steps(slow, recording, monkeypatch))
    assert all(spent <= max(STEP_SECONDS, seconds) for spent, _ in steps)
    assert max(slow.batches) <= CPU_BATCH
    assert [heard for _, part in steps for heard in part] == _Slow(1).hear(
        [clip.sound(recording) for clip in CLIPS], Recipe("en")
    )


def test_batches_on_a_gpu_are_always_the_same(recording: Pcm, monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (0.01, 0.3, 5.0):
        slow = _Slow(seconds, gpu=True)
        list(_steps(slow, recording, monkeypatch))
        assert slow.batches == [GPU_BATCH] * 6 + [4]


def test_a_step_goes_on_for_whole_batches_only() -> None:
    assert batch_size(None, 10.0, fixed=False, begun=False) == 1
    assert batch_size(0.5, 4.0, fixed=False, begun=True) == CPU_BATCH
    assert batch_size(0.5, 3.9, fixed=False, begun=True) == 0
    assert batch_size(3.0, 10.0, fixed=False, begun=False) == 3
    assert batch_size(99.0, 10.0, fixed=False, begun=False) == 1


def test_the_language_is_that_of_the_whole_recording() -> None:
    """A minute of music at the start does not decide it."""
    music, speech = {"la": 0.6, "de": 0.3, "en": 0.1}, {"de": 0.9, "en": 0.1}
    assert likeliest([music, speech, speech]) == ("de", 0.7)
    assert likeliest([{"en": 0.5, "de": 0.5}]) == ("de", 0.5)
