"""Message bodies: fresh ones in memory up to a bound, all of them in SQLite."""

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable

from local.pubsub.backlog import Backlog
from local.pubsub.statements import json_list

_CACHE_BYTES = 64 << 20
#: What one entry of the cache costs beside its body.
_ENTRY_BYTES = 200
#: One read fetches at most so many messages, and stops at so many bytes.
_READ_AHEAD = 256
_READ_BYTES = 4 << 20

_SELECT = "SELECT id, body FROM messages WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id"


class Payloads:
    """Bodies by message id; the oldest leave the cache first."""

    def __init__(self, reader: sqlite3.Connection, cache_bytes: int = _CACHE_BYTES) -> None:
        self._reader = reader
        self._cache_bytes = cache_bytes
        self._cached: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0

    def add(self, message_id: int, body: bytes) -> None:
        """Keep a body that a subscriber will ask for soon."""
        if message_id in self._cached:
            return
        self._cached[message_id] = body
        self._bytes += len(body) + _ENTRY_BYTES
        while self._bytes > self._cache_bytes:
            _, evicted = self._cached.popitem(last=False)
            self._bytes -= len(evicted) + _ENTRY_BYTES

    def get(self, message_id: int, backlog: Backlog | None = None) -> bytes | None:
        """Return a body, or None if the message is gone; a read also fetches what the backlog will give next."""
        body = self._cached.get(message_id)
        if body is not None:
            return body
        read = 0
        upcoming = backlog.upcoming(_READ_AHEAD) if backlog is not None else ()
        # Read without a transaction: the cursor sees what was committed last.
        for identity, stored in self._reader.execute(_SELECT, (json_list({message_id, *upcoming}),)):
            if identity == message_id:
                body = stored
            self.add(identity, stored)
            read += len(stored)
            if read > _READ_BYTES and body is not None:
                break
        return body

    def discard(self, message_ids: Iterable[int]) -> None:
        """Forget bodies that nobody will ask for again."""
        for message_id in message_ids:
            body = self._cached.pop(message_id, None)
            if body is not None:
                self._bytes -= len(body) + _ENTRY_BYTES
