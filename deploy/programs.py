"""Running gcloud and terraform: what is done is shown, what fails is said with its words, what heals is tried again."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Seconds between tries of what is known to heal by itself; Google says that agents may take minutes.
PAUSES = (15, 30, 45, *(60,) * 10)


class DeployError(Exception):
    """The deployment cannot go on; the text says what a person can do."""


class FailedError(DeployError):
    """A program ended with an error."""

    def __init__(self, program: str, status: int, output: str, *, shown: bool = False) -> None:
        super().__init__(f"{program} failed ({status})")
        self.output = output
        self.shown = shown  #: the person has seen it


def say(text: str) -> None:
    """Tell the person what happens."""
    with contextlib.suppress(OSError):  # the terminal is gone
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def need(program: str, hint: str) -> str:
    """Return the path of a program.

    Raises:
        DeployError: it is not installed.
    """
    found = shutil.which(program)
    if found is None:
        raise DeployError(f"{program} is not installed. {hint}")
    return found


def run(command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program whose output the person sees as it comes; return it, too.

    A person who interrupts, or a terminal that is lost, interrupts the program, which is then waited for: a Terraform
    that is cut off leaves its state locked, and forgets what it was making.

    Raises:
        FailedError: it ended with an error.
        KeyboardInterrupt: it was interrupted, and has ended.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,  # signals of the terminal reach us alone, and we pass them on
    )
    lines: list[str] = []
    interrupted = False
    while True:
        try:
            _show(process, lines)
            break
        except KeyboardInterrupt:
            interrupted = True
            process.send_signal(signal.SIGINT)
            say(f"  Interrupted; waiting for {Path(command[0]).name} to end. Once more ends it at once.")
    if interrupted:
        raise KeyboardInterrupt
    if process.returncode:
        raise FailedError(Path(command[0]).name, process.returncode, "".join(lines), shown=True)
    return "".join(lines)


def _show(process: "subprocess.Popen[str]", lines: list[str]) -> None:
    """Show what a program says until it ends."""
    for line in process.stdout or ():
        lines.append(line)
        with contextlib.suppress(OSError):  # the terminal is gone; the program must go on being read
            sys.stdout.write("    " + line)
            sys.stdout.flush()
    process.wait()


def heed_signals() -> None:
    """Take the end of a session, and a request to end, for an interruption."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), interrupt)


def ask(command: Sequence[str], *, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Run a program for its answer, and show nothing.

    Raises:
        FailedError: it ended with an error.
    """
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise FailedError(Path(command[0]).name, done.returncode, done.stderr or done.stdout)
    return done.stdout.strip()


def gcloud(*arguments: str) -> list[str]:
    """Write a gcloud command that asks nothing."""
    return [need("gcloud", "See https://cloud.google.com/sdk/docs/install"), *arguments, "--quiet"]


def pause(seconds: float) -> None:
    """Wait before another try; SPOTMILL_DEPLOY_PAUSE scales it (0: not at all)."""
    time.sleep(seconds * float(os.environ.get("SPOTMILL_DEPLOY_PAUSE", "1")))
