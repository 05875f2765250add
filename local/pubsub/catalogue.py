"""Creating, changing and deleting topics and subscriptions, on disk and in memory."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from local.pubsub import filters, settings
from local.pubsub.broker import Broker
from local.pubsub.names import DELETED_TOPIC
from local.pubsub.refusal import already_exists, failed_precondition, not_found
from local.pubsub.statements import EXPIRE_MESSAGES, collect
from local.pubsub.subscription import Subscription
from local.pubsub.topic import Topic

T = TypeVar("T")

#: Rows of a deleted subscription that one transaction removes, so that publishing is not held up.
_PURGE_ROWS = 5000

#: Above the id of any message.
_ALL = 1 << 62

_PURGE = """
DELETE FROM backlog WHERE subscription_id = ?1 AND message_id IN (
    SELECT message_id FROM backlog
    WHERE subscription_id = ?1 AND message_id > ?2 AND message_id < ?3 ORDER BY message_id LIMIT ?4
) RETURNING message_id
"""


class Catalogue:
    """The administrative half of the service. One change at a time: each waits for the disk before the next begins."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        #: Held while settings change, so that disk and memory change in the same order.
        self.lock = asyncio.Lock()
        self._purges: set[asyncio.Task[None]] = set()

    def topic(self, name: str) -> Topic:
        """Find a topic.

        Raises:
            RefusedError: there is none of that name.
        """
        topic = self._broker.topics.get(name)
        if topic is None:
            raise not_found(name)
        return topic

    def subscription(self, name: str) -> Subscription:
        """Find a subscription.

        Raises:
            RefusedError: there is none of that name.
        """
        subscription = self._broker.subscriptions.get(name)
        if subscription is None:
            raise not_found(name)
        return subscription

    async def create_topic(self, config: Any) -> Topic:
        """Create a topic.

        Raises:
            RefusedError: the name is taken or a setting is wrong.
        """
        settings.complete_topic(config)
        async with self.lock:
            if config.name in self._broker.topics:
                raise already_exists(config.name)
            identity = await self._insert(
                "INSERT INTO topics (name, config, retention_us) VALUES (?, ?, ?)",
                config.name,
                config.SerializeToString(),
                config.message_retention_duration.ToMicroseconds(),
            )
            topic = Topic(identity, config)
            self._broker.topics[config.name] = topic
            return topic

    async def update_topic(self, request: Any) -> Topic:
        """Change the settings named in the request's mask.

        Raises:
            RefusedError: there is no such topic or a setting is wrong.
        """
        async with self.lock:
            topic = self.topic(request.topic.name)
            config = settings.changed_topic(topic.config, request)
            await self._execute(
                "UPDATE topics SET config = ?, retention_us = ? WHERE id = ?",
                config.SerializeToString(),
                config.message_retention_duration.ToMicroseconds(),
                topic.id,
            )
            shorter = config.message_retention_duration.ToMicroseconds() < topic.retention_us
            topic.config = config
            if shorter:
                await self._execute(EXPIRE_MESSAGES, topic.id, self._broker.clock.now_us() - topic.retention_us)
            return topic

    async def delete_topic(self, name: str) -> None:
        """Delete a topic; its subscriptions stay with what they have not delivered.

        Raises:
            RefusedError: there is no such topic.
        """
        async with self.lock:
            topic = self.topic(name)
            await self._execute("DELETE FROM topics WHERE id = ?", topic.id)
            del self._broker.topics[name]
            if topic.retention_us:
                await self._execute(EXPIRE_MESSAGES, topic.id, _ALL)
            for snapshot in self._broker.snapshots.values():
                if snapshot.config.topic == name:
                    snapshot.config.topic = DELETED_TOPIC
                    await self.store_subscription(snapshot.id, snapshot.config)
            for subscription in topic.subscriptions:
                config = type(subscription.config)()
                config.CopyFrom(subscription.config)
                config.topic = DELETED_TOPIC
                await self._store(subscription, config)

    async def create_subscription(self, config: Any) -> Subscription:
        """Create a subscription, which receives what is published from now on.

        Raises:
            RefusedError: the name is taken, the topic does not exist, or a setting is wrong.
        """
        settings.complete_subscription(config)
        async with self.lock:
            if config.name in self._broker.subscriptions:
                raise already_exists(config.name)
            topic = self.topic(config.topic)
            identity = await self.insert_subscription("subscription", topic.id, config)
            matches = filters.parse(config.filter) if config.filter else None
            subscription = Subscription(identity, config, self._broker, matches)
            topic.subscriptions.append(subscription)
            self._broker.subscriptions[config.name] = subscription
            return subscription

    async def update_subscription(self, request: Any) -> Subscription:
        """Change the settings named in the request's mask.

        Raises:
            RefusedError: there is no such subscription or a setting is wrong.
        """
        async with self.lock:
            subscription = self.subscription(request.subscription.name)
            retained = subscription.config.retain_acked_messages
            await self._store(subscription, settings.changed_subscription(subscription.config, request))
            if retained and not subscription.config.retain_acked_messages:
                await self._run(partial(_forget_acked, subscription_id=subscription.id))
            subscription.pump()
            return subscription

    async def delete_subscription(self, name: str) -> None:
        """Delete a subscription and what it has not delivered.

        Raises:
            RefusedError: there is no such subscription.
        """
        async with self.lock:
            subscription = self.subscription(name)
            await self._execute("DELETE FROM subscriptions WHERE id = ?", subscription.id)
            del self._broker.subscriptions[name]
            self._unlink(subscription)
            subscription.close(not_found(name))
            self.purge_later(subscription.id)

    async def detach(self, name: str) -> None:
        """Cut a subscription off its topic and drop what it has not delivered.

        Raises:
            RefusedError: there is no such subscription.
        """
        async with self.lock:
            subscription = self.subscription(name)
            config = type(subscription.config)()
            config.CopyFrom(subscription.config)
            config.detached = True
            await self._store(subscription, config)
            self._unlink(subscription)
            subscription.close(failed_precondition("The subscription was detached from its topic."))
            self.purge_later(subscription.id)

    async def insert_subscription(self, kind: str, topic_id: int, config: Any) -> int:
        """Store a new subscription or snapshot and return its id."""
        return await self._insert(
            "INSERT INTO subscriptions (kind, name, topic_id, config) VALUES (?, ?, ?, ?)",
            kind,
            config.name,
            topic_id,
            config.SerializeToString(),
        )

    async def store_subscription(self, identity: int, config: Any) -> None:
        """Store changed settings of a subscription or snapshot."""
        await self._execute("UPDATE subscriptions SET config = ? WHERE id = ?", config.SerializeToString(), identity)

    def purge_later(self, subscription_id: int) -> None:
        """Remove the backlog of a subscription that is gone, a little at a time, behind what else is written."""
        task = asyncio.get_running_loop().create_task(self.purge(subscription_id, _ALL))
        self._purges.add(task)
        task.add_done_callback(self._purges.discard)

    async def purge(self, subscription_id: int, before: int) -> None:
        """Remove messages older than ``before`` from a backlog, and those that nothing else holds from the disk."""
        last: int | None = 0
        while last is not None:
            last = await self._run(partial(_purge_some, subscription_id=subscription_id, after=last, before=before))

    async def close(self) -> None:
        """Stop what runs behind; the next start takes it up."""
        for purge in self._purges:
            purge.cancel()
        await asyncio.gather(*self._purges, return_exceptions=True)

    def _unlink(self, subscription: Subscription) -> None:
        topic = self._broker.topics.get(subscription.config.topic)
        if topic is not None and subscription in topic.subscriptions:
            topic.subscriptions.remove(subscription)

    async def _store(self, subscription: Subscription, config: Any) -> None:
        await self.store_subscription(subscription.id, config)
        subscription.config = config

    async def _insert(self, statement: str, *values: Any) -> int:
        return await self._run(lambda connection: int(connection.execute(statement, values).lastrowid or 0))

    async def _execute(self, statement: str, *values: Any) -> None:
        await self._run(lambda connection: connection.execute(statement, values))

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.shield(self._broker.journal.run(work))


def _forget_acked(connection: sqlite3.Connection, subscription_id: int) -> None:
    statement = "DELETE FROM backlog WHERE subscription_id = ? AND acked = 1 RETURNING message_id"
    collect(connection, [row[0] for row in connection.execute(statement, (subscription_id,))])


def _purge_some(connection: sqlite3.Connection, subscription_id: int, after: int, before: int) -> int | None:
    removed: list[int] = [row[0] for row in connection.execute(_PURGE, (subscription_id, after, before, _PURGE_ROWS))]
    if not removed:
        return None
    collect(connection, removed)
    return max(removed)
