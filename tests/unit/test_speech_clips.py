"""Clips are cut where faster-whisper's batched pipeline cuts them, and times come back to where they were said."""

from pathlib import Path

import numpy as np
import pytest
from faster_whisper import vad
from hypothesis import given
from hypothesis import strategies as st

from worker.pipelines.media.pcm import RATE, Pcm, Span
from worker.pipelines.speech.clips import Clip, plan, spread


@st.composite
def _spans(draw: st.DrawFn) -> list[Span]:
    """Draw speech of up to 30 s with silences between."""
    found, at = [], 0
    for silence, length in draw(st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 30 * RATE)), max_size=12)):
        found.append(Span((at + silence) / RATE, (at + silence + length) / RATE))
        at += silence + length
    return found


def _samples(span: Span) -> dict[str, int]:
    return {"start": round(span.start * RATE), "end": round(span.end * RATE)}


@given(_spans())
def test_clips_hold_what_the_library_puts_together(spans: list[Span]) -> None:
    sound = np.arange(round(spans[-1].end * RATE) if spans else 1, dtype=np.float32)
    expected, _ = vad.collect_chunks(sound, [_samples(span) for span in spans], max_duration=30)
    clips = plan(spans)
    heard = [np.concatenate([sound[_samples(s)["start"] : _samples(s)["end"]] for s in clip.spans]) for clip in clips]
    expected = [clip for clip in expected if len(clip)]
    assert len(heard) == len(expected)
    assert all(np.array_equal(one, other) for one, other in zip(heard, expected, strict=True))
    assert all(clip.seconds <= 30 + 1e-6 for clip in clips)
    assert [span for clip in clips for span in clip.spans] == spans


def test_a_clip_sounds_as_its_spans_do(tmp_path: Path) -> None:
    path = tmp_path / "sound.pcm"
    np.arange(RATE, dtype="<i2").tofile(path)
    clip = Clip((Span(0.1, 0.2), Span(0.5, 0.6)))
    expected = np.r_[np.arange(1600, 3200), np.arange(8000, 9600)] / 32768
    assert np.array_equal(clip.sound(Pcm(path)), expected.astype(np.float32))


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ((0.5, 1.0), (10.5, 11.0)),  # in the first span
        ((2.25, 2.75), (20.25, 20.75)),  # in the second
        ((1.5, 2.25), (11.5, 12.0)),  # mostly in the first: it ends with it
        ((1.75, 2.75), (20.0, 20.75)),  # mostly in the second: it begins with it
        ((4.9, 5.4), (22.9, 23.0)),  # beyond the end
    ],
)
def test_words_are_placed_where_they_were_said(heard: tuple[float, float], said: tuple[float, float]) -> None:
    clip = Clip((Span(10, 12), Span(20, 23)))
    placed = clip.place(*heard)
    assert (placed.start, placed.end) == pytest.approx(said)


def test_samples_come_from_the_whole_recording() -> None:
    clips = [Clip((Span(start, start + 1),)) for start in range(10)]
    assert [clip.start for clip in spread(clips, 4)] == [0, 2, 5, 7]
    assert spread(clips[:3], 4) == clips[:3]
