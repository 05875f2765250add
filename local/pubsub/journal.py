"""The one thread that writes the SQLite file, committing everything that waits in one transaction.

What has been answered is on disk: callers await their entry, and an entry is resolved only after the commit that holds
it was flushed.
"""

import asyncio
import logging
import queue
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from local.pubsub import statements
from local.pubsub.statements import MessageRow

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], Any]

#: Entries of one transaction; more wait for the next, so that the first is not kept waiting.
_MAX_ENTRIES = 512

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Publication:
    """Messages to store, and the backlogs (subscription or snapshot id, message ids) they enter."""

    rows: Sequence[MessageRow]
    backlogs: Sequence[tuple[int, Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Acknowledged messages of one subscription.

    ``retain`` keeps them in the backlog for a seek; otherwise they leave it, and those that nothing else holds are
    deleted.
    """

    subscription_id: int
    message_ids: Sequence[int]
    retain: bool


Entry = Publication | Settlement | Work


class Journal:
    """Group commit: ``write`` and ``run`` queue an entry and return a future of its commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[tuple[Entry, asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="journal", daemon=True)
        self._thread.start()

    def write(self, entry: Publication | Settlement) -> asyncio.Future[None]:
        """Queue an entry. Callbacks of the future run before any caller that awaits it."""
        return self._put(entry)

    def run(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Queue statements of the caller's own, in order with the entries around them."""
        return self._put(work)

    async def close(self) -> None:
        """Commit what waits, then end the thread."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _put(self, entry: Entry) -> asyncio.Future[Any]:
        future = self._loop.create_future()
        self._queue.put((entry, future))
        return future

    def _serve(self) -> None:
        closing = False
        while not closing:
            batch = [self._queue.get()]
            while len(batch) < _MAX_ENTRIES:
                try:
                    batch.append(self._queue.get_nowait())
                except queue.Empty:
                    break
            closing = None in batch
            entries = [item for item in batch if item is not None]
            if entries:
                self._commit(entries)

    def _commit(self, batch: Sequence[tuple[Entry, asyncio.Future[Any]]]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = list(_apply(self._connection, [entry for entry, _ in batch]))
            self._connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and the thread must go on
            _log.exception("pubsub.commit_failed entries=%d", len(batch))
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._call(_fail, [future for _, future in batch], error)
        else:
            self._call(_resolve, [future for _, future in batch], results)

    def _call(self, function: Callable[..., None], *args: Any) -> None:
        self._loop.call_soon_threadsafe(function, *args)


def _resolve(futures: Sequence[asyncio.Future[Any]], results: Sequence[Any]) -> None:
    for future, result in zip(futures, results, strict=True):
        if not future.cancelled():
            future.set_result(result)


def _fail(futures: Sequence[asyncio.Future[Any]], error: Exception) -> None:
    for future in futures:
        if not future.cancelled():
            future.set_exception(error)


def _apply(connection: sqlite3.Connection, entries: Sequence[Entry]) -> Iterator[Any]:
    for _, group in groupby(entries, type):
        run = list(group)
        _publish(connection, [entry for entry in run if isinstance(entry, Publication)])
        _settle(connection, [entry for entry in run if isinstance(entry, Settlement)])
        for entry in run:
            yield None if isinstance(entry, Publication | Settlement) else entry(connection)


def _publish(connection: sqlite3.Connection, publications: Sequence[Publication]) -> None:
    statements.insert_messages(connection, [row for publication in publications for row in publication.rows])
    backlogs = defaultdict[int, list[int]](list)
    for publication in publications:
        for subscription_id, message_ids in publication.backlogs:
            backlogs[subscription_id].extend(message_ids)
    for subscription_id, message_ids in backlogs.items():
        statements.insert_backlog(connection, subscription_id, message_ids)


def _settle(connection: sqlite3.Connection, settlements: Sequence[Settlement]) -> None:
    settled = defaultdict[tuple[int, bool], list[int]](list)
    collectable: list[int] = []
    for settlement in settlements:
        settled[settlement.subscription_id, settlement.retain].extend(settlement.message_ids)
        if not settlement.retain:
            collectable.extend(settlement.message_ids)
    for (subscription_id, retain), message_ids in settled.items():
        statements.settle(connection, subscription_id, message_ids, retain=retain)
    if collectable:
        statements.collect(connection, collectable)
