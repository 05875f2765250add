"""The bytes of objects: one file each in one flat directory, named by a random id, never changed once finished.

A file belongs to somebody only through a committed row. So nothing is renamed, a crash can leave nothing worse than a
file that no row names, and the start sweeps those away.
"""

import asyncio
import os
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, TypeVar, cast

from local.gcs.digest import Digester, Digests

T = TypeVar("T")

_sync_data: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has only fsync

#: The real service persists resumable uploads in steps of this size.
QUANTUM = 256 * 1024
#: Bytes written and hashed in one go on a worker thread.
BLOCK = 4 * QUANTUM
#: Unsynced bytes at which a sync is started while more come in.
SYNC_BEHIND = 16 * BLOCK


class Bodies:
    """The directory of bodies."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._descriptor = os.open(directory, os.O_RDONLY)
        self._lock = threading.Lock()
        self._created = False

    def path(self, body: str) -> Path:
        """Where a body lies."""
        return self._directory / body

    def create(self) -> str:
        """Make an empty body and return its id."""
        body = secrets.token_hex(16)
        os.close(os.open(self.path(body), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with self._lock:
            self._created = True
        return body

    def delete(self, body: str) -> None:
        """Forget a body. Whoever is reading it can finish."""
        self.path(body).unlink(missing_ok=True)

    def sync_directory(self) -> None:
        """Make the names of new bodies durable: one fsync for all that were created since the last."""
        with self._lock:
            created, self._created = self._created, False
        if created:
            os.fsync(self._descriptor)

    def sweep(self, owned: Iterable[str]) -> int:
        """Delete every body that is not owned; returns how many."""
        strays = {entry.name for entry in os.scandir(self._directory)}.difference(owned)
        for body in strays:
            self.delete(body)
        return len(strays)

    def close(self) -> None:
        """Let the directory go."""
        os.close(self._descriptor)


class BodyWriter:
    """Appends to one body, off the event loop: while a block is hashed and written, the next one is received.

    ``size`` is what the file will hold once everything handed in is written; ``durable`` is what has been synced: while
    much is coming in, a second thread syncs behind the writing one.
    """

    def __init__(self, path: Path, executor: Executor, *, offset: int = 0) -> None:
        self._executor = executor
        self._path = path
        self._file = os.open(path, os.O_WRONLY)
        os.ftruncate(self._file, offset)
        os.lseek(self._file, offset, os.SEEK_SET)
        # Hash state does not outlive the process: a body that is taken up again is read once more at the end.
        self._digester = Digester() if offset == 0 else None
        self._pieces: list[bytes] = []
        self._held = 0
        self._pending: asyncio.Future[Any] | None = None
        self._syncing: asyncio.Future[None] | None = None
        self._failure: BaseException | None = None
        self.size = offset
        self.durable = offset

    @property
    def received(self) -> int:
        """All bytes handed in so far, written or not."""
        return self.size + self._held

    async def append(self, data: bytes) -> None:
        """Hand in the next bytes."""
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= BLOCK:
            await self._dispatch(self._held - self._held % QUANTUM)

    async def settle(self) -> None:
        """Write whole quanta, drop the odd rest, and make it durable."""
        await self._dispatch(self._held - self._held % QUANTUM)
        self._pieces, self._held = [], 0
        await self.sync()

    async def sync(self) -> None:
        """Make durable what was handed over to the disk so far."""
        await self._synced_behind()
        if self.durable != self.size:
            await self._on_thread(_sync_data, self._file)
            self.durable = self.size

    async def finish(self) -> Digests:
        """Write everything, make it durable, close, and return the checksums."""
        await self._synced_behind()
        pieces, self._pieces = self._pieces, []
        self.size += self._held
        self._held = 0
        digests = await self._on_thread(self._finish, pieces)
        self.durable = self.size
        return digests

    async def release(self) -> None:
        """Wait for the thread at work, if any, then let the file go."""
        for work in (self._pending, self._syncing):
            if work is not None:
                await asyncio.wait([work])
        self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    async def _on_thread(self, work: Callable[..., T], *args: Any) -> T:
        self._pending = asyncio.get_running_loop().run_in_executor(self._executor, work, *args)
        return cast(T, await self._wait())

    async def _wait(self) -> Any:
        if self._pending is None:
            return None
        # Shielded and remembered: a cancelled request must not close the file under a thread that writes to it.
        result = await asyncio.shield(self._pending)
        self._pending = None
        return result

    async def _dispatch(self, length: int) -> None:
        await self._wait()
        if not length:
            return
        if self.size - self.durable >= SYNC_BEHIND and self._syncing is None:
            self._sync_behind()
        pieces, rest, taken = [], [], 0
        for piece in self._pieces:
            if taken + len(piece) <= length:
                pieces.append(piece)
                taken += len(piece)
            elif taken < length:
                cut = length - taken
                pieces.append(piece[:cut])
                rest.append(piece[cut:])
                taken = length
            else:
                rest.append(piece)
        self._pieces, self._held = rest, self._held - length
        self.size += length
        self._pending = asyncio.get_running_loop().run_in_executor(self._executor, self._write, pieces)

    async def _synced_behind(self) -> None:
        await self._wait()
        if self._syncing is not None:
            await asyncio.wait([self._syncing])
        if self._failure is not None:
            raise self._failure

    def _sync_behind(self) -> None:
        written = self.size

        def done(future: asyncio.Future[None]) -> None:
            self._syncing = None
            if future.exception() is None:
                self.durable = max(self.durable, written)
            else:
                # The kernel tells of a failed write once: the next sync would pretend that all is well.
                self._failure = future.exception()

        self._syncing = asyncio.get_running_loop().run_in_executor(self._executor, _sync_data, self._file)
        self._syncing.add_done_callback(done)

    def _write(self, pieces: list[bytes]) -> None:
        for start in range(0, len(pieces), 512):  # below IOV_MAX
            group = pieces[start : start + 512]
            written = os.writev(self._file, group)
            missing = b"".join(group)[written:] if written < sum(map(len, group)) else b""
            while missing:
                missing = missing[os.write(self._file, missing) :]
        if self._digester is not None:
            for piece in pieces:
                self._digester.update(piece)

    def _finish(self, pieces: list[bytes]) -> Digests:
        self._write(pieces)
        _sync_data(self._file)
        self._close()
        return self._digester.digests() if self._digester is not None else digest_file(self._path)


def digest_file(path: Path) -> Digests:
    """Checksums of a whole file, read in blocks."""
    digester = Digester()
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            digester.update(block)
    return digester.digests()
