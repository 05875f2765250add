"""SQLite, one writer, many transactions to one fsync.

Every change is a function of a ``Transaction``. They run one after the other on one thread; those that wait at the same
moment share a COMMIT and so one fsync of the write-ahead log (``synchronous=FULL``: what was answered survives a power
cut). A function that raises is rolled back alone. Reads go to connections of their own and never wait for the writer.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (generation INTEGER NOT NULL);
INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);
CREATE TABLE IF NOT EXISTS buckets (
    name TEXT PRIMARY KEY, project TEXT NOT NULL, metageneration INTEGER NOT NULL, created INTEGER NOT NULL,
    updated INTEGER NOT NULL, properties TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS objects (
    bucket TEXT NOT NULL, name TEXT NOT NULL, generation INTEGER NOT NULL, metageneration INTEGER NOT NULL,
    live INTEGER NOT NULL, body TEXT NOT NULL, size INTEGER NOT NULL, crc32c INTEGER NOT NULL, md5 BLOB,
    components INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL, deleted INTEGER, properties TEXT NOT NULL,
    PRIMARY KEY (bucket, name, generation)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS live_objects ON objects (bucket, name) WHERE live;
CREATE INDEX IF NOT EXISTS object_bodies ON objects (body);
CREATE TABLE IF NOT EXISTS notifications (
    bucket TEXT NOT NULL, id INTEGER NOT NULL, properties TEXT NOT NULL, PRIMARY KEY (bucket, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    id TEXT PRIMARY KEY, bucket TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, created INTEGER NOT NULL,
    persisted INTEGER NOT NULL, state TEXT NOT NULL, generation INTEGER, request TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, data BLOB NOT NULL, attributes TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS outbox_topics ON outbox (topic, id);
"""


class Transaction:
    """What a change may do. ``events`` counts the notifications it records, ``discarded`` names bodies nobody needs."""

    def __init__(self, connection: sqlite3.Connection, *, keep_events: bool) -> None:
        self.execute = connection.execute
        self.keep_events = keep_events
        self.discarded: list[str] = []
        self.events = 0

    def next_generation(self) -> int:
        """A number above all that were given before, and the time in microseconds unless the clock went back."""
        row = self.execute("UPDATE clock SET generation = max(generation + 1, ?) RETURNING generation", (now_us(),))
        return int(row.fetchone()[0])

    def discard(self, body: str) -> None:
        """Have the body's file deleted once this is committed, unless an object still points to it."""
        if self.execute("SELECT 1 FROM objects WHERE body = ? LIMIT 1", (body,)).fetchone() is None:
            self.discarded.append(body)


def now_us() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


_Job = tuple[Callable[[Transaction], Any], "Future[Any]"]


class Database:
    """The metadata of everything.

    ``before_commit`` makes durable what the rows about to be committed point to; ``delete_body`` removes a file;
    ``on_events`` hears of committed notifications. All three are called on the writer's thread. Without ``keep_events``
    notifications are not recorded.
    """

    #: Changes that share one commit at most; a bound on how long the first of them waits.
    BATCH = 256

    def __init__(
        self,
        path: Path,
        *,
        before_commit: Callable[[], None],
        delete_body: Callable[[str], None],
        on_events: Callable[[], None],
        keep_events: bool,
    ) -> None:
        self._path = path
        self._before_commit = before_commit
        self._delete_body = delete_body
        self._on_events = on_events
        self._keep_events = keep_events
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._local = threading.local()
        writer = self._connect()
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA synchronous = FULL")
        writer.executescript(SCHEMA)
        self._thread = threading.Thread(target=self._run, args=(writer,), name="gcs-writer", daemon=True)
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        connection.row_factory = sqlite3.Row
        return connection

    @property
    def reader(self) -> sqlite3.Connection:
        """This thread's connection for reading: it sees every committed change."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            connection.execute("PRAGMA cache_size = -512")  # each thread has one: the page cache does the rest
            self._local.connection = connection
        return connection

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change and return what it returned, once that is durable.

        Raises:
            Exception: whatever the change raised; nothing of it was kept.
        """
        future: Future[T] = Future()
        self._queue.put((change, future))
        # Shielded: the change happens whether or not the client waits for the answer.
        return await asyncio.shield(asyncio.wrap_future(future))

    def close(self) -> None:
        """Finish what is queued and stop."""
        self._queue.put(None)
        self._thread.join()

    def _run(self, connection: sqlite3.Connection) -> None:
        running = True
        while running:
            batch: list[_Job] = []
            job = self._queue.get()
            while job is not None:
                batch.append(job)
                if len(batch) == self.BATCH or self._queue.empty():
                    break
                job = self._queue.get()
            running = job is not None
            if batch:
                self._commit(connection, batch)
        connection.close()

    def _commit(self, connection: sqlite3.Connection, batch: list[_Job]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            done = [change for job in batch if (change := self._apply(connection, *job)) is not None]
            self._before_commit()
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the disk is full or worse: everybody in the batch hears of it
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        if any(transaction.events for _, _, transaction in done):
            self._on_events()
        for future, result, _ in done:
            future.set_result(result)
        for _, _, transaction in done:
            for body in transaction.discarded:
                self._delete_body(body)

    def _apply(
        self, connection: sqlite3.Connection, change: Callable[[Transaction], Any], future: "Future[Any]"
    ) -> "tuple[Future[Any], Any, Transaction] | None":
        """Run one change of a batch; one that raises is undone alone, and whoever asked for it hears of it."""
        transaction = Transaction(connection, keep_events=self._keep_events)
        connection.execute("SAVEPOINT change")
        try:
            result = change(transaction)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked for the change
            connection.execute("ROLLBACK TO change")
            future.set_exception(error)
            return None
        finally:
            connection.execute("RELEASE change")
        return future, result, transaction
