"""The tables, and the statements that write messages and settle them.

Each statement takes many rows: sqlite3 gives up the interpreter lock at every step, and taking it back from a busy
event loop costs more than the row.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS topics (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL UNIQUE,
    config       BLOB NOT NULL,
    retention_us INTEGER NOT NULL
);
-- A snapshot is a subscription that nobody reads: it collects what is published after it was taken.
CREATE TABLE IF NOT EXISTS subscriptions (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    topic_id INTEGER NOT NULL,
    config   BLOB NOT NULL,
    UNIQUE (kind, name)
);
-- The identity of a message is its publish time in microseconds.
CREATE TABLE IF NOT EXISTS messages (
    id           INTEGER PRIMARY KEY,
    topic_id     INTEGER NOT NULL,
    ordering_key TEXT NOT NULL,
    body         BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS backlog (
    message_id      INTEGER NOT NULL,
    subscription_id INTEGER NOT NULL,
    acked           INTEGER NOT NULL DEFAULT 0,
    attempts        INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (message_id, subscription_id)
) WITHOUT ROWID;
"""

#: id, topic id, ordering key, serialized PubsubMessage.
MessageRow = tuple[int, int, str, bytes]

#: Rows of one INSERT; any count is a sum of these, so that few statements are ever prepared.
_WIDTHS = (256, 64, 16, 4, 1)

_INSERT_MESSAGES = {
    width: f"INSERT INTO messages VALUES (?,?,?,?){',(?,?,?,?)' * (width - 1)}"  # noqa: S608 - made of question marks
    for width in _WIDTHS
}

#: A message may be there already: a seek or a snapshot was quicker.
_INSERT_BACKLOG = "INSERT OR IGNORE INTO backlog (message_id, subscription_id) SELECT value, ? FROM json_each(?)"

_DELETE_BACKLOG = "DELETE FROM backlog WHERE subscription_id = ? AND message_id IN (SELECT value FROM json_each(?))"

_RETAIN_BACKLOG = (
    "UPDATE backlog SET acked = 1 WHERE subscription_id = ? AND message_id IN (SELECT value FROM json_each(?))"
)

_COLLECT_MESSAGES = """
DELETE FROM messages WHERE id IN (SELECT value FROM json_each(?))
AND NOT EXISTS (SELECT 1 FROM backlog WHERE message_id = messages.id)
AND NOT EXISTS (SELECT 1 FROM topics WHERE topics.id = messages.topic_id AND retention_us > 0)
"""

#: Messages that only the retention of their topic held until now.
EXPIRE_MESSAGES = """
DELETE FROM messages WHERE topic_id = ? AND id < ?
AND NOT EXISTS (SELECT 1 FROM backlog WHERE message_id = messages.id)
"""

_COUNT_ATTEMPTS = """
UPDATE backlog SET attempts = ? WHERE subscription_id = ? AND message_id IN (SELECT value FROM json_each(?))
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file for use by any one thread at a time, without implicit transactions."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA cache_size = -16384")
    return connection


def json_list(values: Iterable[int]) -> str:
    """Identities as json_each reads them."""
    return "[" + ",".join(map(str, values)) + "]"


def insert_messages(connection: sqlite3.Connection, rows: Sequence[MessageRow]) -> None:
    """Store messages, as many in one step as there is a statement for."""
    start = 0
    for width in _WIDTHS:
        while len(rows) - start >= width:
            connection.execute(_INSERT_MESSAGES[width], [value for row in rows[start : start + width] for value in row])
            start += width


def insert_backlog(connection: sqlite3.Connection, subscription_id: int, message_ids: Iterable[int]) -> None:
    """Note that a subscription has yet to see these messages."""
    connection.execute(_INSERT_BACKLOG, (subscription_id, json_list(message_ids)))


def settle(connection: sqlite3.Connection, subscription_id: int, message_ids: Sequence[int], *, retain: bool) -> None:
    """Take acknowledged messages out of a backlog, or mark them where the subscription retains them."""
    statement = _RETAIN_BACKLOG if retain else _DELETE_BACKLOG
    connection.execute(statement, (subscription_id, json_list(message_ids)))


def collect(connection: sqlite3.Connection, message_ids: Iterable[int]) -> None:
    """Delete those of the messages that neither a backlog nor the retention of their topic holds any more."""
    connection.execute(_COLLECT_MESSAGES, (json_list(message_ids),))


def count_attempts(
    connection: sqlite3.Connection, subscription_id: int, attempts: int, message_ids: Iterable[int]
) -> None:
    """Remember how often these messages have been delivered, for the dead-letter policy."""
    connection.execute(_COUNT_ATTEMPTS, (attempts, subscription_id, json_list(message_ids)))
