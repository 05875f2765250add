"""Finds and ends every process that belongs to one local cloud, whoever its parent is by now.

All of them inherit a mark in their environment. Processes that dropped it (pipelines run with an empty environment) are
found below one that has it.
"""

import contextlib
import os
import time
from pathlib import Path

import psutil

MARK = "SPOTMILL_UP"
KILL_SECONDS = 3.0
PAUSE_SECONDS = 0.01


def mark(data_dir: Path) -> dict[str, str]:
    """Return what to add to the environment of a process that belongs to this data directory."""
    return {MARK: str(data_dir)}


def belonging(data_dir: Path) -> list[psutil.Process]:
    """List all living processes of this data directory, but for the one that asks."""
    found: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == str(data_dir):
                found[process.pid] = process
                found |= {child.pid: child for child in process.children(recursive=True)}
    found.pop(os.getpid(), None)
    return [process for process in found.values() if _alive(process)]


def kill(data_dir: Path) -> int:
    """Kill them all, again until no quick fork is left; return how many there were."""
    killed: set[int] = set()
    deadline = time.monotonic() + KILL_SECONDS
    while (processes := belonging(data_dir)) and time.monotonic() < deadline:
        for process in processes:
            killed.add(process.pid)
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(PAUSE_SECONDS)
    return len(killed)


def _alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False
