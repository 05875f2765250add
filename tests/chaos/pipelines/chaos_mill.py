"""Pipelines of the chaos runs: what they publish is a function of the source and the settings alone.

Found where this folder is on PYTHONPATH. How long something takes (``seconds``) never shows in what comes out of it, so
that the undisturbed run can leave it out.
"""

import hashlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from spotmill import Job, PermanentError, RetryableError, pipeline

ANY = {"type": "object"}
MEGABYTE = 2**20


def noise(seed: str, size_bytes: int) -> bytes:
    """Return bytes that nothing can compress and anybody can make again."""
    return random.Random(seed).randbytes(size_bytes)


def work(key: str, seconds: float) -> None:
    """Take a while; the log tells how often each piece of work was begun."""
    print(f"chaos-step {key}", flush=True)  # noqa: T201 - what a pipeline prints is logged with its job
    time.sleep(seconds)


@pipeline("chaos-tiny", accepts=("application/x-chaos-tiny",), settings_schema=ANY)
def tiny(job: Job) -> None:
    """Do next to nothing."""
    job.result(size=job.source.size_bytes)


@pipeline("chaos-note", accepts=("application/x-chaos-note",), settings_schema=ANY)
def note(job: Job) -> None:
    """Publish one small file."""
    digest = hashlib.sha256(job.download().read_bytes()).hexdigest()
    job.artifact("note", digest.encode() * 20, content_type="text/plain", filename="note.txt")
    job.result(digest=digest)


@pipeline("chaos-steps", accepts=(), settings_schema=ANY)
def steps(job: Job) -> None:
    """Several steps, whose values take every form in turn; each depends on the one before."""
    source = hashlib.sha256(job.download().read_bytes()).hexdigest()
    count, seconds = int(job.settings["steps"]), float(job.settings.get("seconds", 0))
    chain = source
    for number in range(count):
        value: Any = job.step(f"part-{number}", _part, job, chain, number, seconds)
        chain = _digest(value)
        job.progress((number + 1) / count, f"part {number + 1} of {count}")
    job.artifact("chain", chain.encode(), content_type="text/plain", filename="chain.txt")
    job.artifact("last", value if isinstance(value, (bytes, Path)) else chain.encode(), content_type="text/plain")
    job.result(chain=chain, source=source)


def _part(job: Job, chain: str, number: int, seconds: float) -> Any:
    work(f"part-{number}", seconds)
    made = noise(f"{chain}/{number}", 2000 + 50 * number)
    if number % 3 == 0:
        return made
    if number % 3 == 1:
        return {"hex": made.hex(), "number": number}
    path = job.scratch / f"part-{number}.bin"
    path.write_bytes(made)
    return path


def _digest(value: Any) -> str:
    if isinstance(value, Path):
        value = value.read_bytes()
    if not isinstance(value, bytes):
        value = repr(sorted(value.items())).encode()
    return hashlib.sha256(value).hexdigest()


@pipeline("chaos-big", accepts=(), settings_schema=ANY)
def big(job: Job) -> None:
    """Publish several megabytes, some of which come from a stored step."""
    digest = hashlib.sha256(job.download().read_bytes()).hexdigest()
    size_bytes = int(job.settings["megabytes"] * MEGABYTE)
    kept = job.step("bulk", _bulk, job, digest, size_bytes)
    job.artifact("bulk", kept, content_type="application/octet-stream", filename="bulk.bin")
    job.artifact("more", noise(f"{digest}/more", size_bytes // 2), content_type="application/octet-stream")
    job.result(size=size_bytes)


def _bulk(job: Job, digest: str, size_bytes: int) -> Path:
    work("bulk", 0)
    path = job.scratch / "bulk.bin"
    path.write_bytes(noise(f"{digest}/bulk", size_bytes))
    return path


@pipeline("chaos-long", accepts=(), settings_schema=ANY, max_stall_seconds=60)
def long(job: Job) -> None:
    """Work for as long as it is asked to, in one piece."""
    seconds = float(job.settings.get("seconds", 0))
    ends = time.monotonic() + seconds
    print("chaos-step long", flush=True)  # noqa: T201 - see ``work``
    while (left := ends - time.monotonic()) > 0:
        job.progress(1 - left / seconds, f"{left:.0f} s to go")
        time.sleep(min(1.0, left))
    job.artifact("long", noise("long", 100_000), content_type="application/octet-stream", filename="long.bin")


@pipeline("chaos-flaky", accepts=(), settings_schema=ANY)
def flaky(job: Job) -> None:
    """Fail as often as the settings say, then succeed; a file beside the mill counts."""
    if log := job.settings.get("log"):
        with Path(log).open("a", encoding="utf-8") as file:
            file.write("try\n")
        if len(Path(log).read_text(encoding="utf-8").splitlines()) <= job.settings["failures"]:
            raise RetryableError("The model server is busy.")
    job.artifact("flaky", noise(job.source.filename, 3000), content_type="application/octet-stream", filename="f.bin")


@pipeline("chaos-permanent", accepts=(), settings_schema=ANY)
def permanent(job: Job) -> None:
    """Find the file unusable, after having published something."""
    job.artifact("half", b"half a result", content_type="text/plain", filename="half.txt")
    raise PermanentError("This file is not a song.")


@pipeline("chaos-segfault", accepts=(), settings_schema=ANY)
def segfault(_job: Job) -> None:
    """Die as a native library does."""
    os.kill(os.getpid(), signal.SIGSEGV)


@pipeline("chaos-greedy", accepts=(), settings_schema=ANY)
def greedy(_job: Job) -> None:
    """Use up all memory."""
    hoard = []
    while True:
        hoard.append(bytearray(64 * MEGABYTE))


@pipeline("chaos-loop", accepts=(), settings_schema=ANY, max_run_seconds=1)
def loop(_job: Job) -> None:
    """Never end."""
    while True:
        pass
