"""The packaged ffmpeg as a process of its own: what it may open, how far it is, what its end means.

It is GPL (x264), so it is never linked. Everything it reads is hostile: it opens the one file it is told, with demuxers
that open no second file, and no network (https://ffmpeg.org/ffmpeg-protocols.html, ``-protocol_whitelist``).
"""

import functools
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from spotmill import PermanentError, RetryableError

#: Demuxers that may read what somebody uploaded. None of them opens another file, as playlists (hls, dash, concat),
#: image sequences and scripts do; none takes raw data without a structure for a film.
FORMATS = (
    "aac", "ac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dts", "dv", "eac3", "flac", "flv", "ivf",
    "matroska", "mov", "mp3", "mpeg", "mpegts", "mxf", "nut", "ogg", "rm", "tta", "w64", "wav", "webm", "wtv",
    "wv", "yuv4mpegpipe",
)  # fmt: skip
#: Most streams that a file may have; a film with sound and subtitles in forty languages has a hundred.
MOST_STREAMS = 200
#: Seconds without a change after which a process is taken for hanging.
STALL_SECONDS = 300.0

_POLL_SECONDS = 0.25
_KEPT_LINES, _MORE_LINES = 20, 2000
_DISK = ("No space left on device", "Disk quota exceeded")
#: Lines that tell the uploader nothing, or name paths on the worker.
_MEANINGLESS = (
    "file:",
    "ffmpeg stats",
    "Error opening",
    "Conversion failed",
    "Nothing was written",
    "not on whitelist",
)
_MEMORY = ("Cannot allocate memory", "malloc of size", "out of memory", "Out of memory")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an encode is: frames of the first video stream, and seconds of the output's time line."""

    frames: int = 0
    seconds: float = 0.0


def limits() -> dict[str, str]:
    """Return the options that keep a demuxer to the one file, for PyAV's ``open`` and, with a dash, for ffmpeg."""
    return {
        "protocol_whitelist": "file,pipe",
        "format_whitelist": ",".join(FORMATS),
        "max_streams": str(MOST_STREAMS),
    }


def source(path: Path, *options: str) -> list[str]:
    """Return the arguments that open ``path`` as a hostile input; ``options`` apply to it as well."""
    kept = [part for name, value in limits().items() for part in (f"-{name}", value)]
    return [*options, *kept, "-i", f"file:{path}"]


@functools.cache
def executable() -> str:
    """Return the path of the packaged program."""
    import imageio_ffmpeg  # noqa: PLC0415 - only the jobs that need it should load it

    return str(imageio_ffmpeg.get_ffmpeg_exe())


@functools.cache
def version() -> str:
    """Return the version of the packaged program, for the keys of steps whose bytes depend on it."""
    import imageio_ffmpeg  # noqa: PLC0415 - as above

    return str(imageio_ffmpeg.get_ffmpeg_version())


class Ffmpeg:
    """One running ffmpeg. It starts at once; leaving the ``with`` block ends it.

    ``arguments`` come after the common ones. ``trouble`` begins the sentence that its failure is told in, such as
    ``"The video cannot be decoded"``. Its standard output belongs to the progress, so results go to files.
    """

    def __init__(
        self, arguments: Sequence[str], *, trouble: str, level: str = "error", stall_seconds: float = STALL_SECONDS
    ) -> None:
        self.progress = Progress()
        #: What it had to say, as far as it is kept: the last of the errors, more of what was asked for.
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES if level == "error" else _MORE_LINES)
        self._trouble = trouble
        self._stall_seconds = stall_seconds
        common = ["-nostdin", "-hide_banner", "-loglevel", level, "-nostats", "-stats_period", "0.25"]
        self._process = subprocess.Popen(
            [executable(), *common, "-progress", "pipe:1", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._readers = [
            threading.Thread(target=read, args=(pipe,), name=f"ffmpeg-{self._process.pid}", daemon=True)
            for read, pipe in ((self._read_progress, self._process.stdout), (self._read_errors, self._process.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Kill the process if it still runs, and let go of its pipes."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for reader in self._readers:
            reader.join()

    def wait(self, told: Callable[[Progress], None] | None = None) -> None:
        """Wait until it is done; ``told`` hears of its progress a few times a second.

        Raises:
            PermanentError: the file is at fault.
            RetryableError: memory, disk or somebody's signal is, or nothing moved for ``stall_seconds``.
        """
        last, still = self.progress, 0.0
        while True:
            try:
                status = self._process.wait(_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                pass
            # Time is counted in polls, so that a machine that was frozen for an hour has not stood still for one.
            still = still + _POLL_SECONDS if self.progress == last else 0.0
            last = self.progress
            if still >= self._stall_seconds:
                self.end()
                raise RetryableError(f"{self._trouble}: ffmpeg stood still for {self._stall_seconds:.0f} seconds.")
            if told is not None:
                told(last)
        for reader in self._readers:
            reader.join()
        if status != 0:
            raise judge(status, list(self.lines), self._trouble)
        if told is not None:
            told(self.progress)

    def _read_progress(self, pipe: IO[bytes]) -> None:
        frames, seconds = 0, 0.0
        with pipe:
            for line in pipe:
                name, _, value = line.decode("ascii", "replace").strip().partition("=")
                if name == "frame" and value.isdigit():
                    frames = int(value)
                elif name == "out_time_us" and value.lstrip("-").isdigit():
                    seconds = max(0.0, int(value) / 1e6)
                elif name == "progress":
                    self.progress = Progress(frames, seconds)

    def _read_errors(self, pipe: IO[bytes]) -> None:
        with pipe:
            while line := pipe.readline(2000):
                self.lines.append(line.decode("utf-8", "replace").rstrip())


def run(
    arguments: Sequence[str],
    *,
    trouble: str,
    told: Callable[[Progress], None] | None = None,
    level: str = "error",
    stall_seconds: float = STALL_SECONDS,
) -> Ffmpeg:
    """Run ffmpeg to its end; return it for its ``lines``.

    Raises:
        PermanentError: the file is at fault.
        RetryableError: the machine is.
    """
    with Ffmpeg(arguments, trouble=trouble, level=level, stall_seconds=stall_seconds) as process:
        process.wait(told)
    return process


def judge(status: int, lines: Sequence[str], trouble: str) -> PermanentError | RetryableError:
    """Say what an exit status other than 0 means, given what ffmpeg wrote last."""
    said = "\n".join(lines)
    if any(phrase in said for phrase in _DISK):
        return RetryableError("The worker's disk is full.")
    if any(phrase in said for phrase in _MEMORY):
        return RetryableError(f"{trouble}: ffmpeg ran out of memory.")
    if status < 0:
        return RetryableError(f"{trouble}: ffmpeg was ended by signal {-status}, perhaps for want of memory.")
    return PermanentError(f"{trouble}: {_reason(lines)}")


def _reason(lines: Sequence[str]) -> str:
    """Pick what a person can use from ffmpeg's last lines, without its prefixes (``[mov @ 0x5581…]``)."""
    for line in lines:
        text = line
        while text.startswith("[") and "] " in text:
            text = text.partition("] ")[2]
        if text and not any(phrase in text for phrase in _MEANINGLESS):
            return text[:200].rstrip(".") + "."
    return "ffmpeg can make nothing of it."
