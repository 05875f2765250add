"""Who Postgres runs as. It refuses to be root, so root starts it as somebody else.

Two ways, because the checkout and the data may lie where no other user can go (``/root``), and because containers
differ in what they allow:

* a *user namespace* that maps root to 1000: Postgres sees user id 1000, while every file goes on belonging to root;
* *another user* (the owner of the data, else nobody) who keeps one power of root, to pass through closed directories.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
NAMESPACE_UID = 1000

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522

# Loaded before any fork: between fork and exec nothing may be imported.
_LIBC = ctypes.CDLL(None, use_errno=True)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapabilitySet(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _prctl(option: int, *values: int) -> None:
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _checked(_LIBC.prctl(ctypes.c_int(option), *arguments), f"prctl {option}")


def end_with_parent(parent_pid: int) -> None:
    """Have the kernel stop this process in good order when its launcher dies, even by ``kill -9`` (Linux only)."""
    if sys.platform == "linux":
        _prctl(PR_SET_PDEATHSIG, signal.SIGINT)
        if os.getppid() != parent_pid:  # it died before the call
            os._exit(1)


@dataclass(frozen=True)
class Identity:
    """Somebody to run as. ``uid`` ``None``: whoever we are."""

    uid: int | None = None
    gid: int | None = None
    namespace: bool = False

    def assume(self) -> None:
        """Become this identity; for a child between fork and exec."""
        if self.namespace:
            _checked(_LIBC.unshare(CLONE_NEWUSER), "unshare")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{NAMESPACE_UID} 0 1")
            Path("/proc/self/gid_map").write_text(f"{NAMESPACE_UID} 0 1")
        elif self.uid is not None and self.gid is not None:
            if sys.platform == "linux":
                # Powers outlast the change of user, and count in access(2), with which Postgres looks at its own files.
                _prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)
            if sys.platform == "linux":
                _keep_passage()

    def own(self, path: Path) -> None:
        """Give a file, or a directory with all in it, to this identity."""
        if self.uid is None or self.gid is None:
            return
        for directory, _, files in os.walk(path):
            os.chown(directory, self.uid, self.gid)
            for name in files:
                os.chown(Path(directory) / name, self.uid, self.gid, follow_symlinks=False)
        os.chown(path, self.uid, self.gid)

    def can_run(self, program: str, directory: Path) -> bool:
        """Whether this identity reaches both."""
        try:
            trial = subprocess.run(
                [program, "--version"],
                check=False,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=self._entering(program, directory),
            )
        except (OSError, subprocess.SubprocessError):
            return False
        return trial.returncode == 0

    def _entering(self, program: str, directory: Path) -> Callable[[], None]:
        def enter() -> None:
            self.assume()
            os.chdir(directory)
            if not os.access(program, os.R_OK | os.X_OK):
                raise PermissionError(program)

        return enter


def _keep_passage() -> None:
    """Lay down all powers of root but that to pass closed directories, which is carried through ``exec``."""
    header = _CapabilityHeader(CAPABILITY_VERSION_3, 0)
    mask = 1 << CAP_DAC_OVERRIDE
    sets = (_CapabilitySet * 2)(_CapabilitySet(mask, mask, mask))
    _checked(_LIBC.capset(ctypes.byref(header), sets), "capset")
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE)


def choose(program: str, pgdata: Path) -> Identity:
    """Who shall run Postgres on these data: ourselves, unless we are root.

    Raises:
        PermissionError: we are root, and neither way to be somebody else works here.
    """
    if os.geteuid() != 0:
        return Identity()
    owner = pgdata.stat() if pgdata.exists() else None
    candidates = []
    if sys.platform == "linux" and (owner is None or owner.st_uid == 0):
        candidates.append(Identity(namespace=True))
    if owner is not None and owner.st_uid != 0:
        candidates.append(Identity(uid=owner.st_uid, gid=owner.st_gid))
    candidates.append(Identity(uid=NOBODY, gid=NOBODY))
    for identity in candidates:
        if identity.can_run(program, pgdata.parent):
            return identity
    raise PermissionError(
        f"Postgres does not run as root, and no other user can reach both {program} and {pgdata.parent}. "
        "Start Spotmill as an ordinary user, or move the checkout and the data directory out of closed directories."
    )
