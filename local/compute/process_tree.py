"""Processes by descent: who descends from whom, and the end of all of them.

Only light parts of the standard library: it is also loaded by the guest, which must start in milliseconds.
"""

import os
import signal
import sys
import time

KILL_SECONDS = 5.0
PAUSE_SECONDS = 0.002


class Entry:
    """One line of the process table. ``born`` tells a process from a later one with the same id."""

    __slots__ = ("born", "parent", "zombie")

    def __init__(self, parent: int, zombie: bool, born: str) -> None:
        self.parent = parent
        self.zombie = zombie
        self.born = born


def table() -> dict[int, Entry]:
    """Every process of this machine, by id."""
    if sys.platform == "linux":
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208 - pathlib loads slowly
        return {pid: line for pid in pids if (line := entry(pid)) is not None}
    import subprocess  # noqa: PLC0415 - slow to load, and Linux has no need of it

    listing = subprocess.run(["ps", "-axo", "pid=,ppid=,stat=,lstart="], capture_output=True, text=True, check=True)
    rows = (line.split(None, 3) for line in listing.stdout.splitlines())
    return {int(pid): Entry(int(parent), state.startswith("Z"), born) for pid, parent, state, born in rows}


def entry(pid: int) -> Entry | None:
    """One process; ``None`` if there is none."""
    if sys.platform != "linux":
        return table().get(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib loads slowly
            stat = file.read().decode(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the program's name, in brackets, may hold anything
    return Entry(int(fields[1]), fields[0] in "ZX", fields[19])


def alive(pid: int, born: str) -> bool:
    """Whether this very process, not a later one with its id, is running."""
    found = entry(pid)
    return found is not None and not found.zombie and found.born == born


def descendants(pid: int) -> list[int]:
    """Every living process below this one, the nearest first."""
    processes = table()
    children: dict[int, list[int]] = {}
    for process, line in processes.items():
        children.setdefault(line.parent, []).append(process)
    found = list(children.get(pid, []))
    for process in found:
        found.extend(children.get(process, []))
    return [process for process in found if not processes[process].zombie]


def end_descendants(pid: int) -> None:
    """Kill all below ``pid``, again and again until no quick fork is left.

    Complete where ``pid`` is a subreaper: what loses its parent on the way becomes its child, and is seen next time.
    """
    deadline = time.monotonic() + KILL_SECONDS
    while (found := descendants(pid)) and time.monotonic() < deadline:
        for process in found:
            send(process, signal.SIGKILL)
        time.sleep(PAUSE_SECONDS)


def end(pid: int) -> None:
    """Kill a subreaper with all below it. It is stopped first, so that it starts nothing anew."""
    send(pid, signal.SIGSTOP)
    end_descendants(pid)
    send(pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> None:
    """A signal to a process that may be gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
