"""Sound stays with the picture, whichever began first."""

from contextlib import closing
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.films import film
from tests.media.rendering import render
from tests.video_checks import check, ffmpeg

#: A tone in every second second, from second 1 on.
TONES = ("-f", "lavfi", "-i", "aevalsrc='0.4*sin(2*PI*1000*t)*mod(floor(t),2)':s=48000:c=stereo")
OPUS, PCM, MP3 = ("-c:a", "libopus"), ("-c:a", "pcm_s16le"), ("-c:a", "mp3")


def changes(path: Path) -> list[float]:
    """Tell at which seconds the tone begins or ends."""
    with closing(av.open(str(path))) as container:
        stream = container.streams.audio[0]
        frames = list(container.decode(stream))
        assert stream.time_base is not None
        start = float((frames[0].pts or 0) * stream.time_base)
    heard: Any = np.abs(np.concatenate([frame.to_ndarray().mean(axis=0) for frame in frames]))
    loud = np.convolve(heard, np.ones(48) / 48, "same") > 0.05
    return [start + place / 48_000 for place in np.flatnonzero(np.diff(loud.astype(int)))]


@pytest.mark.parametrize(
    ("name", "options"), [("a.mp4", ()), ("a.mkv", OPUS), ("a.ts", ()), ("a.mov", PCM), ("a.flv", MP3)]
)
def test_sound_is_where_it_was(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    options = (*options, "-ar", "44100") if name == "a.flv" else options
    path = film(tmp_path / name, seconds=6, size=(320, 180), sound=TONES, options=options)
    job = render(path, tmp_path / "job")
    assert changes(job.artifacts["mp4-480"].path)[:5] == pytest.approx([1, 2, 3, 4, 5], abs=0.002)


def test_sound_that_begins_late_stays_late(tmp_path: Path) -> None:
    path = film(tmp_path / "late.mkv", seconds=6, size=(320, 180), sound=("-itsoffset", "1.5", *TONES))
    job = render(path, tmp_path / "job")
    assert changes(job.artifacts["mp4-480"].path)[:3] == pytest.approx([2.5, 3.5, 4.5], abs=0.002)


def test_sound_that_begins_early_is_heard_under_the_first_frame(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", seconds=4, size=(320, 180), sound=TONES)
    late = ("-itsoffset", "1.5", "-i", str(whole), "-i", str(whole), "-map", "0:v", "-map", "1:a", "-c", "copy")
    ffmpeg(*late, str(tmp_path / "early.mkv"))
    job = render(tmp_path / "early.mkv", tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    # 1.5 s of 30 frames, and one more for the silence that AAC begins with.
    assert found.numbers == [0] * 46 + list(range(120))
    assert changes(job.artifacts["mp4-480"].path)[:3] == pytest.approx([31 / 30, 61 / 30, 91 / 30], abs=0.002)


def test_sound_longer_than_the_film_is_kept(tmp_path: Path) -> None:
    path = film(tmp_path / "long.mp4", seconds=3, size=(320, 180), sound=TONES, options=("-t", "8"))
    job = render(path, tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert found.numbers == list(range(90))
    assert found.sound_end == pytest.approx(8, abs=0.05)
    assert job.results["notes"] == []


def test_a_film_without_sound(tmp_path: Path) -> None:
    job = render(film(tmp_path / "mute.mp4", seconds=3, size=(320, 180), sound=()), tmp_path / "job")
    found = check(job.artifacts["mp4-480"].path)
    assert found.sound_start is None
    assert job.results["sound"] is None
    assert job.artifacts["mp4-480"].metadata["codecs"].startswith("avc1.")
    assert "," not in job.artifacts["mp4-480"].metadata["codecs"]


def test_an_empty_sound_track_is_told(tmp_path: Path) -> None:
    path = film(tmp_path / "empty.mkv", seconds=3, size=(320, 180), sound=TONES, options=("-af", "atrim=end=0"))
    job = render(path, tmp_path / "job")
    assert check(job.artifacts["mp4-480"].path).sound_start is None
    assert job.results["notes"] == ["The video is without sound. Its sound track is empty."]


def test_the_default_track_is_taken_unless_another_is_asked_for(tmp_path: Path) -> None:
    whole = film(tmp_path / "whole.mp4", seconds=3, size=(320, 180), sound=TONES)
    second = ("-f", "lavfi", "-t", "3", "-i", "anoisesrc=r=48000:a=0.1,aformat=channel_layouts=5.1")
    tracks = ("-map", "0", "-map", "1", "-c:v", "copy", "-c:a", "aac", "-metadata:s:a:1", "language=deu")
    ffmpeg("-i", str(whole), *second, *tracks, "-disposition:a:0", "0", "-disposition:a:1", "default",
           str(tmp_path / "two.mkv"))  # fmt: skip
    taken = render(tmp_path / "two.mkv", tmp_path / "job")
    assert taken.results["sound"] == {"codec": "aac", "channels": 6, "rate": 48000, "language": "deu", "tracks": 2}
    with closing(av.open(str(taken.artifacts["mp4-480"].path))) as container:
        assert container.streams.audio[0].layout.name == "stereo"
        assert container.streams.audio[0].language == "deu"
    asked = render(tmp_path / "two.mkv", tmp_path / "asked", audio_track=0)
    assert changes(asked.artifacts["mp4-480"].path)[:2] == pytest.approx([1, 2], abs=0.002)


@pytest.mark.parametrize("name", ["long.mp4", "long.ts"])
def test_a_seam_cannot_be_heard(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of two seconds instead of twenty minutes, of a tone that any shift or gap would break."""
    tone = ("-f", "lavfi", "-i", "sine=330:r=48000")
    path = film(tmp_path / name, seconds=8, size=(160, 90), sound=tone)
    whole = decoded(render(path, tmp_path / "whole").artifacts["mp4-480"].path)
    monkeypatch.setattr("worker.pipelines.media.aac.PIECE_FRAMES", 94)
    job = render(path, tmp_path / "pieces")
    assert sum(key.startswith("sound") for key in job.ran) == 4
    pieces = decoded(job.artifacts["mp4-480"].path)
    assert len(pieces) == len(whole)
    assert np.abs(pieces - whole).max() < 0.01
    assert check(job.artifacts["mp4-480"].path).numbers == list(range(240))


def decoded(path: Path) -> Any:
    with closing(av.open(str(path))) as container:
        return np.concatenate([frame.to_ndarray().mean(axis=0) for frame in container.decode(audio=0)])
