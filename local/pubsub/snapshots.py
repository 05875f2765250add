"""Snapshots, and seeking a subscription to one or to a time (https://cloud.google.com/pubsub/docs/replay-overview).

A snapshot is kept as a subscription that nobody reads: it holds what was not acknowledged when it was taken, and what
is published after.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.pubsub_v1.types import pubsub

from local.pubsub import names, settings
from local.pubsub.broker import Broker
from local.pubsub.catalogue import Catalogue
from local.pubsub.refusal import already_exists, failed_precondition, invalid, not_found
from local.pubsub.statements import collect, insert_backlog
from local.pubsub.subscription import Subscription
from local.pubsub.topic import Snapshot

T = TypeVar("T")

_Message = pubsub.PubsubMessage.pb()
_Snapshot = pubsub.Snapshot.pb()

_LIFE_US = 7 * settings.DAY * 1_000_000
_MINIMUM_LIFE_US = 60 * settings.MINUTE * 1_000_000

_COPY = """
INSERT OR IGNORE INTO backlog (message_id, subscription_id)
SELECT message_id, ? FROM backlog WHERE subscription_id = ? AND acked = 0
"""

_WAITING = """
SELECT message_id, ordering_key FROM backlog JOIN messages ON messages.id = message_id
WHERE subscription_id = ? AND acked = 0 ORDER BY message_id
"""

#: Messages of a topic that a subscription has acknowledged and that only the topic's retention still holds.
_RETAINED_BY_TOPIC = """
SELECT id, body FROM messages WHERE topic_id = ? AND id >= ?
AND NOT EXISTS (SELECT 1 FROM backlog WHERE message_id = messages.id AND subscription_id = ?)
"""

_IN_SNAPSHOT = """
SELECT id, body FROM messages WHERE id IN (SELECT message_id FROM backlog WHERE subscription_id = ?)
"""


class Snapshots:
    """Taking, deleting and returning to snapshots."""

    def __init__(self, broker: Broker, catalogue: Catalogue) -> None:
        self._broker = broker
        self._catalogue = catalogue

    def get(self, name: str) -> Snapshot:
        """Find a snapshot.

        Raises:
            RefusedError: there is none of that name.
        """
        snapshot = self._broker.snapshots.get(name)
        if snapshot is None:
            raise not_found(name)
        return snapshot

    async def create(self, request: Any) -> Snapshot:
        """Take a snapshot of a subscription's backlog.

        Raises:
            RefusedError: the name is taken, or the backlog is so old that the snapshot would live less than an hour.
        """
        names.check(request.name, "snapshots")
        async with self._catalogue.lock:
            subscription = self._catalogue.subscription(request.subscription)
            topic = self._catalogue.topic(subscription.config.topic)
            if request.name in self._broker.snapshots:
                raise already_exists(request.name)
            expires_us = await self._expiry(subscription)
            config = _Snapshot(name=request.name, topic=subscription.config.topic, labels=request.labels)
            config.expire_time.FromMicroseconds(expires_us)
            snapshot = Snapshot(await self._catalogue.insert_subscription("snapshot", topic.id, config), config)
            self._broker.snapshots[request.name] = snapshot
            # From here on the snapshot gets what is published; what was published before, the copy finds.
            topic.snapshots.append(snapshot.id)
            await self._run(lambda connection: connection.execute(_COPY, (snapshot.id, subscription.id)))
            return snapshot

    async def update(self, request: Any) -> Snapshot:
        """Change labels or the expiry.

        Raises:
            RefusedError: there is no such snapshot, or the mask is wrong.
        """
        async with self._catalogue.lock:
            snapshot = self.get(request.snapshot.name)
            config = settings.changed_snapshot(snapshot.config, request)
            await self._catalogue.store_subscription(snapshot.id, config)
            snapshot.config = config
            return snapshot

    async def delete(self, name: str) -> None:
        """Delete a snapshot and release what only it held.

        Raises:
            RefusedError: there is no such snapshot.
        """
        async with self._catalogue.lock:
            snapshot = self.get(name)
            await self._run(lambda c: c.execute("DELETE FROM subscriptions WHERE id = ?", (snapshot.id,)))
            del self._broker.snapshots[name]
            topic = self._broker.topics.get(snapshot.config.topic)
            if topic is not None:
                topic.snapshots.remove(snapshot.id)
            self._catalogue.purge_later(snapshot.id)

    async def seek(self, request: Any) -> None:
        """Return a subscription to a time or a snapshot.

        Raises:
            RefusedError: there is no such subscription or snapshot, or the snapshot is of another topic.
        """
        async with self._catalogue.lock:
            subscription = self._catalogue.subscription(request.subscription)
            if subscription.config.detached:
                raise failed_precondition("The subscription is detached from its topic.")
            target = request.WhichOneof("target")
            if target == "snapshot":
                snapshot = self.get(request.snapshot)
                if snapshot.config.topic != subscription.config.topic:
                    raise failed_precondition("The snapshot was taken of a subscription of another topic.")
                await self._restart(subscription, _to_snapshot(subscription, snapshot.id))
            elif target == "time":
                topic = self._broker.topics.get(subscription.config.topic)
                retaining = topic.id if topic is not None and topic.retention_us else None
                await self._restart(subscription, _to_time(subscription, request.time.ToMicroseconds(), retaining))
            else:
                raise invalid("A seek needs a time or a snapshot.")

    async def _restart(self, subscription: Subscription, work: "Callable[[sqlite3.Connection], Waiting]") -> None:
        future = self._broker.journal.run(work)

        # In the callback, not after the await: messages published since must be added after, not before.
        def restart(committed: "asyncio.Future[Waiting]") -> None:
            if committed.exception() is None and subscription.open:
                subscription.restart(committed.result())

        future.add_done_callback(restart)
        await asyncio.shield(future)

    async def _expiry(self, subscription: Subscription) -> int:
        now_us = self._broker.clock.now_us()
        oldest = await self._run(
            lambda connection: connection.execute(
                "SELECT min(message_id) FROM backlog WHERE subscription_id = ? AND acked = 0", (subscription.id,)
            ).fetchone()[0]
        )
        expires_us: int = (now_us if oldest is None else oldest) + _LIFE_US
        if expires_us - now_us < _MINIMUM_LIFE_US:
            raise failed_precondition("The oldest message is so old that the snapshot would expire within an hour.")
        return expires_us

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.shield(self._broker.journal.run(work))


Waiting = list[tuple[int, str]]


def _to_snapshot(subscription: Subscription, snapshot_id: int) -> Callable[[sqlite3.Connection], Waiting]:
    def work(connection: sqlite3.Connection) -> Waiting:
        gone = _acknowledge_before(connection, subscription, 1 << 62)
        _restore(connection, subscription, connection.execute(_IN_SNAPSHOT, (snapshot_id,)))
        collect(connection, gone)
        return list(connection.execute(_WAITING, (subscription.id,)))

    return work


def _to_time(
    subscription: Subscription, time_us: int, retaining_topic: int | None
) -> Callable[[sqlite3.Connection], Waiting]:
    def work(connection: sqlite3.Connection) -> Waiting:
        gone = _acknowledge_before(connection, subscription, time_us)
        connection.execute(
            "UPDATE backlog SET acked = 0, attempts = 0 WHERE subscription_id = ? AND message_id >= ?",
            (subscription.id, time_us),
        )
        if retaining_topic is not None:
            rows = connection.execute(_RETAINED_BY_TOPIC, (retaining_topic, time_us, subscription.id))
            _restore(connection, subscription, rows)
        collect(connection, gone)
        return list(connection.execute(_WAITING, (subscription.id,)))

    return work


def _acknowledge_before(connection: sqlite3.Connection, subscription: Subscription, time_us: int) -> list[int]:
    """Acknowledge what is older. Returns the messages that left the backlog thereby."""
    values = (subscription.id, time_us)
    if subscription.config.retain_acked_messages:
        connection.execute("UPDATE backlog SET acked = 1 WHERE subscription_id = ? AND message_id < ?", values)
        return []
    gone = connection.execute(
        "DELETE FROM backlog WHERE subscription_id = ? AND message_id < ? RETURNING message_id", values
    )
    return [row[0] for row in gone]


def _restore(connection: sqlite3.Connection, subscription: Subscription, rows: Iterator[tuple[int, bytes]]) -> None:
    """Put messages back that match the subscription's filter."""
    matches = subscription.matches
    restored = [identity for identity, body in rows if matches is None or matches(_Message.FromString(body).attributes)]
    connection.execute(
        "UPDATE backlog SET acked = 0, attempts = 0 WHERE subscription_id = ? AND acked = 1 "
        "AND message_id IN (SELECT value FROM json_each(?))",
        (subscription.id, str(restored)),
    )
    insert_backlog(connection, subscription.id, restored)
