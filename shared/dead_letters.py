"""Messages that Pub/Sub gave up delivering to the workers: kept until an admin replays or discards them.

The database is the truth, so a message that names a job is never needed itself: replaying announces the job anew.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

#: Of a message that is longer, only the beginning is kept; it cannot be replayed.
KEPT_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A message as it came from the dead-letter topic, without what that topic added to it."""

    message_id: str
    published_at: datetime  #: when it was first published
    subscription: str
    delivery_attempts: int
    job_id: uuid.UUID | None
    data: bytes
    attributes: Mapping[str, str]


_TAKE_IN = text("""
    INSERT INTO dead_letters (message_id, published_at, subscription, delivery_attempts, job_id,
                              data, size_bytes, attributes)
    VALUES (:message_id, :published_at, :subscription, CAST(:delivery_attempts AS bigint), CAST(:job_id AS uuid),
            CAST(:data AS bytea), CAST(:size_bytes AS bigint), CAST(:attributes AS jsonb))
    ON CONFLICT (message_id) DO NOTHING RETURNING id""")


def take_in(connection: Connection, letter: NewLetter) -> bool:
    """Keep a message; False if it was kept before."""
    values = {
        "message_id": letter.message_id,
        "published_at": letter.published_at,
        "subscription": letter.subscription,
        "delivery_attempts": letter.delivery_attempts,
        "job_id": str(letter.job_id) if letter.job_id else None,
        "data": letter.data[:KEPT_BYTES],
        "size_bytes": len(letter.data),
        "attributes": json.dumps(dict(letter.attributes)),
    }
    return connection.execute(_TAKE_IN, values).one_or_none() is not None


_COUNT = text("SELECT count(*) FROM dead_letters WHERE replayed_at IS NULL AND discarded_at IS NULL")


def open_count(connection: Connection) -> int:
    """Count the messages that wait for a decision; 0 for people who may not decide."""
    return int(connection.execute(_COUNT).scalar_one())


@dataclass(frozen=True, slots=True)
class Letter:
    """A kept message that waits for a decision, locked by this transaction."""

    id: uuid.UUID
    received_at: datetime
    job_id: uuid.UUID | None
    data: bytes
    size_bytes: int
    attributes: dict[str, str]

    @property
    def whole(self) -> bool:
        """Tell whether all of its data was kept."""
        return len(self.data) == self.size_bytes


_OPEN = """
    SELECT id, received_at, job_id, data, size_bytes, attributes FROM dead_letters
    WHERE replayed_at IS NULL AND discarded_at IS NULL"""

_LOCK_ONE = text(_OPEN + " AND id = CAST(:id AS uuid) FOR UPDATE")

_LOCK_SOME = text(
    _OPEN
    + """
      AND (CAST(:after AS uuid) IS NULL
           OR (received_at, id) > (CAST(:received_at AS timestamptz), CAST(:after AS uuid)))
    ORDER BY received_at, id LIMIT :most FOR UPDATE"""
)


def lock(connection: Connection, letter: uuid.UUID) -> Letter | None:
    """Take one in hand; None if there is none that waits for a decision."""
    row = connection.execute(_LOCK_ONE, {"id": str(letter)}).one_or_none()
    return None if row is None else Letter(*row)


def lock_some(connection: Connection, *, after: Letter | None, most: int) -> list[Letter]:
    """Take the oldest in hand that came after ``after``."""
    values = {
        "after": str(after.id) if after else None,
        "received_at": after.received_at if after else None,
        "most": most,
    }
    return [Letter(*row) for row in connection.execute(_LOCK_SOME, values)]


_REPLAYED = text("""
    UPDATE dead_letters SET replayed_at = now(), replayed_by = :by WHERE id = ANY(CAST(:ids AS uuid[]))""")

_DISCARDED = text("""
    UPDATE dead_letters SET discarded_at = now(), discarded_by = :by WHERE id = ANY(CAST(:ids AS uuid[]))""")

_WAITING_JOBS = text("""
    SELECT j.id FROM jobs j JOIN dead_letters d ON d.job_id = j.id
    WHERE d.id = ANY(CAST(:ids AS uuid[])) AND j.status = 'queued'
      AND j.queued_at <= d.received_at AND j.published_at <= d.received_at""")


def mark_replayed(connection: Connection, letters: Sequence[Letter], *, by: str) -> None:
    """Note that messages are on their way again."""
    connection.execute(_REPLAYED, {"ids": _ids(letters), "by": by})


def mark_discarded(connection: Connection, letters: Sequence[Letter], *, by: str) -> None:
    """Note that nobody needs these messages."""
    connection.execute(_DISCARDED, {"ids": _ids(letters), "by": by})


def waiting_jobs(connection: Connection, letters: Sequence[Letter]) -> list[uuid.UUID]:
    """Name the jobs that are in the queue since before their message was given up, and that nothing else announces.

    One that has been announced again since has another message; one that is not announced at all gets one by the tick.
    """
    return list(connection.execute(_WAITING_JOBS, {"ids": _ids(letters)}).scalars())


def _ids(letters: Sequence[Letter]) -> str:
    return "{" + ",".join(str(letter.id) for letter in letters) + "}"
