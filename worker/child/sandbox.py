"""What the child gives up before it loads any pipeline: privileges, the network, more than its share of the machine.

Every step is made by the child itself, after exec: a fork of the many-threaded agent could not run Python safely.
"""

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

from worker.child.messages import Limits

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _end_with_agent(agent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != agent:  # it died before we asked
        sys.exit("the agent is gone")


def _leave_network() -> bool:
    """Move into an empty network namespace; return whether it worked.

    Root may do so; anybody else may within a user namespace, where the system allows those (user_namespaces(7)).
    """
    if sys.platform != "linux":
        return False
    if os.geteuid() == 0:
        return bool(_libc.unshare(_CLONE_NEWNET) == 0)
    trial = os.fork()  # a namespace that does not let us be ourselves could not be left again
    if trial == 0:
        os._exit(0 if _leave_as_nobody_special() else 1)
    _, status = os.waitpid(trial, 0)
    return status == 0 and _leave_as_nobody_special()


def _leave_as_nobody_special() -> bool:
    uid, gid = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    except OSError:
        return False
    return os.geteuid() == uid and _drop_capabilities()


def _drop_capabilities() -> bool:
    """Give up what the maker of a user namespace may do in it: hostile media must not reach that much of the kernel.

    Source: capset(2).
    """
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    return bool(_libc.capset(header, nothing) == 0)


def _lower(kind: int, wanted: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(kind, (most, most))


def enter(limits: Limits) -> bool:
    """Give up all that a pipeline needs not; return whether the network is out of reach."""
    with suppress(OSError):  # when memory runs out, the kernel should take the child and not the agent
        Path("/proc/self/oom_score_adj").write_text("1000")
    offline = _leave_network()
    if limits.uid is not None and limits.gid is not None:
        os.setgroups(limits.groups)
        os.setgid(limits.gid)
        os.setuid(limits.uid)
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _end_with_agent(limits.parent)  # after the change of user, which would undo it
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_AS, limits.memory_bytes)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    # The agent decides when a child ends; a Ctrl-C on the terminal is meant for the agent.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return offline
