"""What ffmpeg's end means for a job, and that a file cannot make it open another one."""

import os
import signal
from pathlib import Path

import pytest

from spotmill import PermanentError, RetryableError
from tests.films import film
from worker.pipelines.media.ffmpeg import Ffmpeg, Progress, judge, run, source
from worker.pipelines.media.probe import measure, probe

TROUBLE = "The video cannot be decoded"


def decode(path: Path) -> list[str]:
    return [*source(path), "-f", "null", "-"]


@pytest.mark.parametrize(
    ("status", "line", "kind", "sentence"),
    [
        (183, "[mov @ 0x55] moov atom not found", PermanentError, f"{TROUBLE}: moov atom not found."),
        (1, "av_interleaved_write_frame(): No space left on device", RetryableError, "The worker's disk is full."),
        (1, "[h264 @ 0x1] Cannot allocate memory", RetryableError, f"{TROUBLE}: ffmpeg ran out of memory."),
        (-signal.SIGKILL, "", RetryableError, f"{TROUBLE}: ffmpeg was ended by signal 9, perhaps for want of memory."),
        (
            1,
            "[in#0 @ 0x1] Error opening input file file:/x/y.",
            PermanentError,
            f"{TROUBLE}: ffmpeg can make nothing of it.",
        ),
    ],
)
def test_who_is_at_fault(status: int, line: str, kind: type[Exception], sentence: str) -> None:
    judged = judge(status, [line], TROUBLE)
    assert type(judged) is kind
    assert str(judged) == sentence


def test_a_full_disk_is_the_worker_s_fault(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", seconds=1, size=(160, 90))
    with pytest.raises(RetryableError, match="disk is full"):
        run([*source(path), "-f", "rawvideo", "-y", "/dev/full"], trouble=TROUBLE)


def test_what_stands_still_is_ended(tmp_path: Path) -> None:
    """A pipe into which nobody writes."""
    pipe = tmp_path / "pipe.ts"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    try:
        with pytest.raises(RetryableError, match="stood still for 1 seconds"):
            run(decode(pipe), trouble=TROUBLE, stall_seconds=1)
    finally:
        os.close(writer)


def test_progress_is_told_in_frames_and_seconds(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", seconds=2, size=(160, 90))
    told: list[Progress] = []
    run(decode(path), trouble=TROUBLE, told=told.append)
    assert told[-1].frames == 60
    assert told[-1].seconds == pytest.approx(2, abs=0.1)


def test_leaving_ends_the_process(tmp_path: Path) -> None:
    with Ffmpeg(["-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"], trouble=TROUBLE) as process:
        assert process._process.poll() is None
    assert process._process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("content", ["#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
                                     "ffconcat version 1.0\nfile '{}'\n"])  # fmt: skip
def test_a_playlist_opens_no_other_file(content: str, tmp_path: Path) -> None:
    secret = film(tmp_path / "secret.ts", seconds=1, size=(160, 90))
    upload = tmp_path / "upload.mp4"
    upload.write_text(content.format(secret))
    with pytest.raises(PermanentError):
        run(decode(upload), trouble=TROUBLE)
    with pytest.raises(PermanentError, match="playlist"):
        probe(upload)


def test_a_header_without_a_length_is_measured(tmp_path: Path) -> None:
    """What a browser records: Matroska that was written to a pipe, so that nothing could be filled in afterwards."""
    path = film(tmp_path / "live.mkv", seconds=3, size=(160, 90), options=("-live", "1"))
    media = probe(path)
    assert media.duration is None
    assert media.video is not None
    found = measure(path)[media.video.index]
    assert found.packets == 90
    assert found.seconds == pytest.approx(3, abs=0.04)
