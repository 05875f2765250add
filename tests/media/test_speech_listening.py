"""The copy to listen to: it plays everywhere, and what is heard is where the transcript says."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe
from numpy.typing import NDArray

from spotmill.testing import DirectoryJob
from tests.video_checks import warnings
from worker.pipelines.media import aac
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.media.probe import probe
from worker.pipelines.speech.listening import listening_copy
from worker.pipelines.speech.sound import decoded_sound

#: Chirps of half a second, two seconds apart: each sounds like no other.
_CHIRPS = "aevalsrc=exprs='0.5*sin(2*PI*(300+200*floor(t/2)+400*mod(t,2))*t)*lt(mod(t,2),0.5)':s=44100:d=9"


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *arguments], check=True)


def _samples(path: Path) -> NDArray[np.float64]:
    raw = subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", str(RATE), "-"],
        check=True,
        capture_output=True,
    ).stdout
    return np.frombuffer(raw, "<i2").astype(np.float64)


def _copy(path: Path, home: Path, track: int | str = "default") -> tuple[Path, Pcm]:
    job = DirectoryJob(path, home)
    pcm = decoded_sound(job, job.download, track=track)
    return listening_copy(job, job.download, pcm, track=track, told=lambda _: None), pcm


def _shift(copy: Path, pcm: Pcm) -> float:
    """Return by how many seconds the copy is late."""
    return _late(_samples(copy), pcm.read(0, pcm.seconds).astype(np.float64))


def _late(heard: NDArray[np.float64], written: NDArray[np.float64]) -> float:
    size = 1 << (len(heard) + len(written)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(written, size)), size)
    best = int(np.argmax(likeness))
    return (best if best < size // 2 else best - size) / RATE


@pytest.mark.parametrize("ending", ["wav", "mp3", "ogg", "m4a", "mkv", "ts"])
def test_copy_is_on_the_transcript_s_time_line(ending: str, tmp_path: Path) -> None:
    source = tmp_path / f"chirps.{ending}"
    _ffmpeg("-f", "lavfi", "-i", _CHIRPS, "-ac", "2", str(source))
    copy, pcm = _copy(source, tmp_path / "job")
    assert abs(_shift(copy, pcm)) < 0.002
    assert warnings(copy) == []
    media = probe(copy)
    assert media.audio is not None
    assert (media.audio.codec, media.audio.rate, media.audio.channels) == ("aac", aac.RATE, 2)
    assert media.duration == pytest.approx(pcm.seconds, abs=0.03)


@pytest.mark.parametrize("rate", [44_100, 48_000, 8_000])
def test_pieces_join_without_a_seam(rate: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each chirp is where it was, in whichever piece it lies."""
    source = tmp_path / "chirps.wav"
    _ffmpeg("-f", "lavfi", "-i", _CHIRPS, "-ar", str(rate), str(source))
    monkeypatch.setattr(aac, "PIECE_FRAMES", 100)
    copy, pcm = _copy(source, tmp_path / "job")
    heard, written = _samples(copy), pcm.read(0, pcm.seconds).astype(np.float64)
    assert len(heard) == len(written)
    for begin in range(0, 8, 2):
        chirp = slice(begin * RATE, (begin + 2) * RATE)
        assert abs(_late(heard[chirp], written[chirp])) < 0.0005


def test_mix_is_heard_as_it_was_decoded(tmp_path: Path) -> None:
    """Two tracks at once are one in the copy."""
    source = tmp_path / "two.mkv"
    tones = ("-f", "lavfi", "-i", _CHIRPS, "-f", "lavfi", "-i", "sine=frequency=1500:duration=9")
    _ffmpeg(*tones, "-map", "0", "-map", "1", "-c:a", "flac", str(source))
    copy, pcm = _copy(source, tmp_path / "job", "mix")
    assert abs(_shift(copy, pcm)) < 0.002
    assert probe(copy).audios[0].channels == 1


def test_channels_of_no_known_place(tmp_path: Path) -> None:
    """Seven microphones of a conference table are no seven loudspeakers."""
    source = tmp_path / "table.wav"
    _ffmpeg(
        "-f", "lavfi", "-i", _CHIRPS, "-af", "pan=7 channels|" + "|".join(f"c{n}=c0" for n in range(7)), str(source)
    )
    copy, pcm = _copy(source, tmp_path / "job")
    assert abs(_shift(copy, pcm)) < 0.002
