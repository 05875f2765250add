"""Running gcloud and terraform: what is done is shown, what fails is said with its words, what heals is tried again."""

import os
import shutil
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

    def __init__(self, program: str, status: int, output: str) -> None:
        super().__init__(f"{program} failed ({status})")
        self.output = output


def say(text: str) -> None:
    """Tell the person what happens."""
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

    Raises:
        FailedError: it ended with an error.
    """
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines = []
    if process.stdout is not None:
        for line in process.stdout:
            lines.append(line)
            sys.stdout.write("    " + line)
            sys.stdout.flush()
    status = process.wait()
    if status:
        raise FailedError(Path(command[0]).name, status, "".join(lines))
    return "".join(lines)


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
