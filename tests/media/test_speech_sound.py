"""The sound of every kind of file is decoded onto the time line that a player shows, and decoded once."""

import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from spotmill import PermanentError
from spotmill.testing import LeftError
from tests.media.job import CutJob
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speech import sound
from worker.pipelines.speech.sound import decoded_sound

#: Seconds at which a tone of half a second begins, in 9 s of sound.
TONES = (1.0, 2.75, 4.5, 5.5, 7.9)


def _tones(hertz: int = 800, channels: int = 1, at: Sequence[float] = TONES) -> tuple[str, ...]:
    gate = "+".join(f"between(t,{start},{start + 0.5})" for start in at)
    each = "|".join([f"0.4*sin(2*PI*{hertz}*t)*({gate})"] * channels)
    return ("-f", "lavfi", "-i", f"aevalsrc='{each}':s=48000:d=9")


def _make(path: Path, *arguments: str) -> Path:
    made = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments, str(path)]
    subprocess.run(made, check=True, capture_output=True)
    return path


def _decode(path: Path, folder: Path, track: int | str = "default", max_hours: float = 24.0) -> Pcm:
    job = CutJob(path, folder / "job")
    return decoded_sound(job, job.download, track=track, max_hours=max_hours)


def _onsets(pcm: Pcm, hertz: int = 800) -> list[float]:
    """Tell when a tone of that pitch begins."""
    heard = pcm.read(0, pcm.seconds)
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(heard)) / RATE)
    loud = np.abs(np.convolve(heard * wave, np.ones(320) / 320, "same")) > 0.03
    return [float(place) / RATE for place in np.flatnonzero(np.diff(loud.astype(int)) == 1)]


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut sound into pieces of 3 s, so that every test has several."""
    monkeypatch.setattr(sound, "PIECE_SECONDS", 3)


FORMATS = {
    "a.wav": ("-ar", "44100", "-c:a", "pcm_s24le"),
    "a.flac": ("-ar", "96000"),
    "constant.mp3": ("-b:a", "64k", "-ar", "44100"),
    "variable.mp3": ("-q:a", "5", "-ar", "22050"),
    "bare.mp3": ("-q:a", "5", "-write_xing", "0", "-id3v2_version", "0"),
    "a.m4a": ("-c:a", "aac"),
    "a.aac": ("-c:a", "aac"),
    "vorbis.ogg": ("-c:a", "libvorbis"),
    "opus.ogg": ("-c:a", "libopus"),
    "a.webm": ("-c:a", "libopus"),
    "a.mka": ("-c:a", "ac3"),
    "a.ts": ("-c:a", "mp2"),
    "a.wma": ("-c:a", "wmav2"),
    "a.amr": ("-c:a", "libopencore_amrnb", "-ar", "8000", "-b:a", "12.2k"),
    "a.avi": ("-c:a", "mp3", "-ar", "44100"),
    "a.aiff": ("-ar", "11025"),
    "a.caf": (),
    "a.au": ("-c:a", "pcm_mulaw", "-ar", "8000"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_heard_is_where_it_was(name: str, pieces: None, tmp_path: Path) -> None:
    path = _make(tmp_path / name, *_tones(), *FORMATS[name])
    pcm = _decode(path, tmp_path)
    assert pcm.seconds == pytest.approx(9, abs=0.15)
    # Some formats do not say how much silence their coder puts in front: up to 65 ms.
    assert _onsets(pcm) == pytest.approx(TONES, abs=0.07)


def test_sound_of_several_channels_is_one(pieces: None, tmp_path: Path) -> None:
    path = _make(tmp_path / "a.wav", *_tones(channels=6))
    assert _onsets(_decode(path, tmp_path)) == pytest.approx(TONES, abs=0.03)


def test_channels_that_nobody_placed_are_mixed(pieces: None, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    frame = np.zeros((2 * RATE, 40), "<i2")
    frame[RATE:] = (12_000 * np.sin(2 * np.pi * 800 * np.arange(RATE) / RATE)).astype("<i2")[:, None]
    path.write_bytes(_wav(RATE, 40, frame.tobytes()))
    assert _onsets(_decode(path, tmp_path)) == pytest.approx([1.0], abs=0.03)


def test_sound_that_begins_late_in_a_film_is_heard_late(pieces: None, tmp_path: Path) -> None:
    film = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=12")
    for name in ("late.mkv", "late.mp4", "late.ts"):
        path = _make(tmp_path / name, *film, "-itsoffset", "2.5", *_tones(), "-c:v", "libx264", "-c:a", "aac")
        found = _onsets(_decode(path, tmp_path))
        assert found == pytest.approx([start + 2.5 for start in TONES], abs=0.07), name


def test_a_clock_that_does_not_start_at_zero_is_no_silence(pieces: None, tmp_path: Path) -> None:
    path = _make(tmp_path / "a.ts", *_tones(), "-c:a", "aac", "-output_ts_offset", "5000")
    pcm = _decode(path, tmp_path)
    assert pcm.seconds == pytest.approx(9, abs=0.15)
    assert _onsets(pcm) == pytest.approx(TONES, abs=0.07)


def test_a_gap_stays_a_gap(pieces: None, tmp_path: Path) -> None:
    _make(tmp_path / "whole.mka", *_tones(), "-c:a", "flac")
    listed = tmp_path / "list.txt"
    listed.write_text("file whole.mka\nduration 20\nfile whole.mka\n")
    path = _make(tmp_path / "gap.mka", "-f", "concat", "-i", str(listed), "-c", "copy")
    pcm = _decode(path, tmp_path)
    assert _onsets(pcm) == pytest.approx([*TONES, *(start + 20 for start in TONES)], abs=0.07)


def test_the_track_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    both = (*_tones(600, at=(1, 5)), *_tones(1500, at=(3,)), "-map", "0", "-map", "1", "-disposition:a:1", "default")
    path = _make(tmp_path / "a.mka", *both, "-disposition:a:0", "0", "-c:a", "flac")

    def heard(track: int | str) -> tuple[int, int]:
        pcm = _decode(path, tmp_path / str(track), track)
        return len(_onsets(pcm, 600)), len(_onsets(pcm, 1500))

    assert heard("default") == (0, 1)
    assert heard(1) == (2, 0)
    assert heard(2) == (0, 1)
    assert heard("mix") == (2, 1)
    with pytest.raises(PermanentError, match=r"There is no sound track 3; the file has 2\."):
        heard(3)


def test_sound_that_ends_with_a_piece_ends(pieces: None, tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "a.mp3", "a.mka"):
        path = _make(tmp_path / name, "-f", "lavfi", "-i", "sine=d=6:r=16000")
        assert _decode(path, tmp_path).seconds == pytest.approx(6, abs=0.1), name


def _wav(rate: int, channels: int, data: bytes, claimed: int | None = None) -> bytes:
    size = len(data) if claimed is None else claimed
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * channels * 2 & 0xFFFFFFFF, channels * 2, 16)
    return struct.pack("<4sI8sI", b"RIFF", 0, b"WAVEfmt ", 16) + form + struct.pack("<4sI", b"data", size) + data


REFUSED = {
    "empty.mp3": (b"", "The file is empty."),
    "text.mp3": (b"This is no song.\n" * 50, "This is no video or sound file"),
    "list.mp3": (b"#EXTM3U\nfile:///etc/passwd\n", "This is a playlist"),
    "header.wav": (_wav(RATE, 1, b""), "no sound in it that can be decoded"),
    "one.wav": (_wav(1, 1, bytes(200)), "The sound has 1 samples a second"),
    "channels.wav": (_wav(RATE, 255, bytes(510 * 800)), "The sound has 255 channels; 64 are the most."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_sound_is_refused_in_plain_words(name: str, tmp_path: Path) -> None:
    content, said = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PermanentError, match=said):
        _decode(tmp_path / name, tmp_path)


def test_a_silent_film_has_no_sound(tmp_path: Path) -> None:
    path = _make(tmp_path / "a.mp4", "-f", "lavfi", "-i", "testsrc=s=64x64:d=1")
    with pytest.raises(PermanentError, match=r"The file has no sound\."):
        _decode(path, tmp_path)


def test_lengths_are_measured_and_not_believed(tmp_path: Path) -> None:
    tone = (3_000 * np.sin(np.arange(RATE) / 5)).astype("<i2").tobytes()
    for claimed in (0xFFFFFFF0, 0):
        (tmp_path / "a.wav").write_bytes(_wav(RATE, 1, tone, claimed))
        assert _decode(tmp_path / "a.wav", tmp_path).seconds == pytest.approx(1, abs=0.03)


def test_what_is_left_of_a_file_is_decoded(tmp_path: Path) -> None:
    for name in ("a.mp3", "a.flac", "a.ogg", "a.ts"):
        path = _make(tmp_path / name, "-f", "lavfi", "-i", "sine=d=20")
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        assert 7 < _decode(path, tmp_path).seconds < 13, name


def test_a_recording_may_be_too_long(pieces: None, tmp_path: Path) -> None:
    path = _make(tmp_path / "a.flac", "-f", "lavfi", "-i", "anullsrc=d=30:r=16000:cl=mono")
    assert path.stat().st_size < 20_000  # a bomb, as it were
    assert _decode(path, tmp_path / "long", max_hours=31 / 3600).seconds == 30
    with pytest.raises(PermanentError, match=r"longer than 0\.005 hours, the most that is allowed"):
        _decode(path, tmp_path / "short", max_hours=0.005)


def test_sound_that_is_stored_is_not_decoded_again(pieces: None, tmp_path: Path) -> None:
    path = _make(tmp_path / "a.m4a", *_tones(), "-c:a", "aac")
    undisturbed = _decode(path, tmp_path / "undisturbed").path.read_bytes()
    steps_run = []
    for cut in range(2, 60):  # the power is cut at every moment there is
        job = CutJob(path, tmp_path / "job", cut_at=cut)
        try:
            pcm = decoded_sound(job, job.download)
        except LeftError:
            steps_run.append(len(job.ran))
            continue
        break
    assert pcm.path.read_bytes() == undisturbed
    assert max(steps_run) <= 2  # what was at hand, and the first that was not begun

    def gone() -> Path:
        raise AssertionError("the source was asked for")

    again = decoded_sound(CutJob(path, tmp_path / "job"), gone)
    assert again.path.read_bytes() == undisturbed
