"""Finds processes of machines that are no more.

A guest takes its whole tree along. What is left here are accidents: a guest that somebody killed, or a server that was
killed between starting a guest and recording it.
"""

import ctypes
import os
import sys
from collections.abc import Collection, Container, Iterable

import psutil

from local.compute import process_tree
from local.compute.guest import PR_SET_CHILD_SUBREAPER
from local.compute.settings import Settings
from local.compute.vm import MARK, mark


def become_their_parent() -> None:
    """Have the kernel hand the children of a killed guest to this process (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(*(ctypes.c_ulong(value) for value in (PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)))


def bury() -> None:
    """Reap every child that has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def adopted(*, spare: Container[int]) -> list[int]:
    """Our children that are none of these guests: only a guest that was killed can have left them."""
    me = os.getpid()
    return [pid for pid, line in process_tree.table().items() if line.parent == me and pid not in spare]


def marked(settings: Settings, instance: str, *, spare: Collection[int]) -> list[int]:
    """What carries the mark of this machine (``""``: of any machine here) and is below none of these guests."""
    beginning = mark(settings, instance)
    spared = {pid for guest in spare for pid in (guest, *process_tree.descendants(guest))}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in spared and process.environ().get(MARK, "").startswith(beginning):
                found.append(process.pid)
        except (psutil.Error, OSError):  # gone, or not ours to read
            continue
    return found


def end(pids: Iterable[int]) -> None:
    """Kill these with all below them."""
    for pid in pids:
        process_tree.end(pid)
    bury()
