"""The directories of one attempt: the input belongs to the agent, ``work`` to the child, which may be hostile.

Files that the child names are opened here, without following a link out of ``work`` and without trusting their owner.
"""

import os
import shutil
import stat
import tempfile
from itertools import count
from pathlib import Path
from typing import BinaryIO

from shared.jobs import Claim
from shared.objects import safe_filename


class ForeignFileError(Exception):
    """The child named a file that is not its own."""


def root(place: str | None, instance: str) -> Path:
    """Make the directory of this worker, without what an agent before this one left in it.

    Raises:
        PermissionError: somebody else has made a directory of that name in ``place``.
    """
    ours = Path(place or tempfile.gettempdir()) / f"spotmill-{os.getuid()}"
    ours.mkdir(0o711, parents=True, exist_ok=True)
    if ours.is_symlink() or ours.stat().st_uid != os.getuid():
        raise PermissionError(f"{ours} belongs to somebody else; set SPOTMILL_SCRATCH_DIR")
    made = ours / instance
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(exist_ok=True)
    made.chmod(0o711)  # the child's user may pass, not look around
    return made


class Rooms:
    """Empty work directories. ``uid`` is the child's user if it has its own.

    One that a job left empty serves the next: making and deleting it would cost a tiny job more than all else.
    """

    def __init__(self, root: Path, *, uid: int | None, gid: int | None) -> None:
        self._root = root
        self._uid, self._gid = uid, gid
        self._empty: list[str] = []
        self._number = count(1)

    def take(self) -> str:
        """Return the path of an empty directory of the child's."""
        if self._empty:
            return self._empty.pop()
        work = f"{self._root}/{next(self._number)}"
        os.mkdir(work, 0o700)  # noqa: PTH102 - paths are text here, as making a Path costs more than using it
        if self._uid is not None and self._gid is not None:
            os.chown(work, self._uid, self._gid)
        return work

    def give(self, work: str, *, again: bool) -> None:
        """Take a directory back; ``again`` if nobody can write there any more. What is in it is deleted."""
        if again and not os.listdir(work):  # noqa: PTH208
            self._empty.append(work)
        else:
            shutil.rmtree(work, ignore_errors=True)

    def owns(self, file: os.stat_result) -> bool:
        """Tell whether a file is the child's."""
        return self._uid is None or file.st_uid == self._uid


class Scratch:
    """The directories of one attempt."""

    def __init__(self, rooms: Rooms, claim: Claim) -> None:
        self._rooms = rooms
        self._object = claim.object
        self.work = ""
        self._input: Path | None = None

    def create(self) -> None:
        """Make ``work``; the rest comes when it is needed."""
        self.work = self._rooms.take()

    def source(self) -> Path:
        """Return where the source goes."""
        return self._folder() / safe_filename(self._object)

    def stored(self, step: str, filename: str) -> Path:
        """Return where a stored step goes; it keeps its file name, whose ending may matter."""
        folder = self._folder() / step
        folder.mkdir(0o755, exist_ok=True)
        return folder / (safe_filename(filename) if filename else "value")

    def open(self, name: str) -> BinaryIO:
        """Open a file that the child named, relative to ``work``.

        Raises:
            ForeignFileError: it is not a plain file of the child's in its work directory.
        """
        parts = name.split("/")
        if not name or any(part in ("", ".", "..") for part in parts):
            raise ForeignFileError(f"{name!r} is no file name")
        folder = os.open(self.work, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            descriptor = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise ForeignFileError(f"{name!r} cannot be opened: {error.strerror}") from error
        finally:
            os.close(folder)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not self._rooms.owns(found):
            os.close(descriptor)
            raise ForeignFileError(f"{name!r} is not a file of this job")
        return os.fdopen(descriptor, "rb")

    def remove(self, *, again: bool) -> None:
        """Delete everything; ``again`` if the child has let go of its directory."""
        if self.work:
            self._rooms.give(self.work, again=again)
        if self._input is not None:
            shutil.rmtree(self._input, ignore_errors=True)

    def _folder(self) -> Path:
        if self._input is None:
            self._input = Path(f"{self.work}.input")
            self._input.mkdir(0o755, exist_ok=True)
        return self._input
