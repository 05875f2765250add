"""Pipelines that behave as badly, or as simply, as a test needs; found where this folder is on PYTHONPATH.

What a test wants of them travels in the job's settings: ``gate`` is a file to wait for, ``log`` one to write a line to.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from spotmill import Job, LanguageModelError, ModelError, Passage, PermanentError, RetryableError, pipeline

ANY = {"type": "object"}


def note(job: Job, line: str) -> None:
    """Write a line where the test reads it."""
    if path := job.settings.get("log"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def pass_gate(job: Job) -> None:
    """Wait until the test opens the gate, if there is one."""
    gate = job.settings.get("gate")
    while gate is not None and not Path(gate).exists():
        time.sleep(0.01)


@pipeline("trial-noop", accepts=("application/x-noop",), settings_schema=ANY)
def noop(_job: Job) -> None:
    """Do nothing."""


@pipeline("trial-careless", accepts=(), settings_schema=ANY)
def careless(job: Job) -> None:
    """Make light of whatever goes wrong."""
    try:
        job.download()
    except BaseException as error:  # noqa: BLE001 - that is the point
        job.result(ignored=type(error).__name__)


@pipeline("trial-copy", accepts=("application/x-copy",), settings_schema=ANY)
def copy(job: Job) -> None:
    """Publish the source as it is."""
    note(job, "copy")
    source = job.download()
    job.progress(0.5, "copying")
    pass_gate(job)
    job.artifact("copy", source, content_type="application/x-copy", metadata={"note": "the same"})
    job.artifact("twice", source.read_bytes() * 2, content_type="application/x-copy", filename="twice.bin")
    job.result(size=source.stat().st_size)


@pipeline("trial-count", accepts=(), settings_schema={"type": "object", "properties": {"count": {"type": "integer"}}})
def count(job: Job) -> None:
    """Tell what it was asked to count to."""
    job.result(count=job.settings["count"])


@pipeline("trial-crash", accepts=(), settings_schema=ANY)
def crash(job: Job) -> None:
    """Die as a native library does, beside a program of its own, if no file says that it has done so before."""
    once = job.settings.get("once")
    if once is None or not Path(once).exists():
        if once is not None:
            Path(once).touch()
        note(job, str(subprocess.Popen(["sleep", "600"]).pid))
        os.kill(os.getpid(), signal.SIGSEGV)


@pipeline("trial-flaky", accepts=(), settings_schema=ANY)
def flaky(job: Job) -> None:
    """Succeed when there are as many lines in the log as it is asked for."""
    note(job, "try")
    if len(Path(job.settings["log"]).read_text().splitlines()) < job.settings["tries"]:
        raise RetryableError("The model server is busy.")


@pipeline("trial-greedy", accepts=(), settings_schema=ANY)
def greedy(_job: Job) -> None:
    """Use up all memory."""
    hoard = []
    while True:
        hoard.append(bytearray(16 * 1024**2))


@pipeline("trial-hog", accepts=(), settings_schema=ANY)
def hog(job: Job) -> None:
    """Hold the interpreter for seconds, as an extension does that never lets go of it."""
    note(job, str(os.getpid()))
    re.match(r"(a+)+$", "a" * 27 + "b")


@pipeline("trial-hostile", accepts=(), settings_schema=ANY)
def hostile(job: Job) -> None:
    """Try, as taken-over code would, to have the agent publish a file that is not the job's."""
    line: Any = job._line  # type: ignore[attr-defined]
    from worker.child.messages import Publish  # noqa: PLC0415 - only this one knows the agent's protocol

    link = job.scratch / "link"
    link.symlink_to(job.settings["wanted"])
    line.say(Publish("loot", job.settings["disguise"], "text/plain", "loot.txt", {}))


@pipeline("trial-look", accepts=(), settings_schema=ANY)
def look(job: Job) -> None:
    """Tell what can be seen from inside."""
    try:
        with socket.create_connection((job.settings["host"], job.settings["port"]), timeout=2):
            reached = True
    except OSError:
        reached = False
    job.result(
        environment=sorted(os.environ),
        user=os.getuid(),
        reached=reached,
        scratch=[p.name for p in job.scratch.iterdir()],
    )
    print("a line on stdout")  # noqa: T201 - pipelines print
    print("a line on stderr", file=sys.stderr)  # noqa: T201


@pipeline("trial-loop", accepts=(), settings_schema=ANY, max_run_seconds=1)
def loop(_job: Job) -> None:
    """Never end."""
    while True:
        pass


@pipeline("trial-permanent", accepts=(), settings_schema=ANY)
def permanent(_job: Job) -> None:
    """Find the file unusable."""
    raise PermanentError("This file is not a song.")


@pipeline("trial-stall", accepts=(), settings_schema=ANY, max_stall_seconds=1)
def stall(job: Job) -> None:
    """Say the same again and again."""
    while True:
        job.progress(0.1, "nearly there")
        time.sleep(0.01)


@pipeline("trial-steps", accepts=(), settings_schema=ANY)
def steps(job: Job) -> None:
    """Three steps, one for each kind of value; the second waits for the gate."""

    def first() -> dict[str, int]:
        note(job, "first")
        return {"one": 1}

    def second() -> bytes:
        note(job, "second")
        pass_gate(job)
        return b"two"

    def third() -> Path:
        note(job, "third")
        path = job.scratch / "three.txt"
        path.write_text("three")
        return path

    one = job.step("first", first)
    job.progress(0.4, "first done")
    two = job.step("second", second)
    job.progress(0.7, "second done")
    three = job.step("third", third)
    job.artifact("three", three, content_type="text/plain", filename="three.txt")
    job.result(one=one, two=two.decode(), three=three.read_text(), ending=three.suffix)


@pipeline("trial-unstorable", accepts=(), settings_schema=ANY)
def unstorable(job: Job) -> None:
    """Return a result that JSON allows and Postgres does not."""
    job.result(text="a\x00b")


@pipeline("trial-wait", accepts=(), settings_schema=ANY)
def wait(job: Job) -> None:
    """Wait for the gate."""
    note(job, "wait")
    if (pid := job.settings.get("pid")) is not None:
        Path(pid).write_text(str(os.getpid()))
    job.progress(0.25, "waiting")
    pass_gate(job)


@pipeline("trial-model", accepts=(), settings_schema=ANY)
def weigh(job: Job) -> None:
    """Tell what is in a model, or why there is none."""
    try:
        model = job.model(job.settings["model"])
    except ModelError as error:
        job.result(missing=str(error))
        return
    files = sorted(p for p in model.path.rglob("*") if p.is_file()) if model.path.is_dir() else [model.path]
    job.result(id=model.id, files={p.name: p.read_text() for p in files})


@pipeline("trial-ask", accepts=(), settings_schema=ANY)
def ask(job: Job) -> None:
    """Ask the hosted model, and tell what it said."""
    if (language_model := job.language_model) is None:
        job.result(engine=None)
        return
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string"}},
        "required": ["word"],
        "additionalProperties": False,
    }
    answers = []
    for _ in range(job.settings.get("times", 1)):
        try:
            answers.append(language_model.complete("Answer in one word.", "Say hello.", schema))
        except LanguageModelError as error:
            answers.append(f"{type(error).__name__}: {error} ({error.retryable})")
    job.result(engine=language_model.engine, model=language_model.model, answers=answers)


@pipeline("trial-passages", accepts=(), settings_schema=ANY)
def speak(job: Job) -> None:
    """Have something found."""
    job.passages([Passage(0.0, 1.0, "forgotten")], language="de")
    job.passages([Passage(0.5, 2.25, "The quick foxes", "S1"), Passage(3, 4, "jumped")], language="en")


@pipeline("trial-babble", accepts=(), settings_schema=ANY)
def babble(job: Job) -> None:
    """Have something found that is no passage."""
    job.passages([Passage(0.0, 1.0, "x" * 30_000)], language="en")
