"""What time takes away: messages past their retention, subscriptions nobody uses, snapshots past their week."""

import asyncio
import sqlite3
from contextlib import suppress
from functools import partial

from local.pubsub.broker import Broker
from local.pubsub.catalogue import Catalogue
from local.pubsub.refusal import RefusedError
from local.pubsub.snapshots import Snapshots
from local.pubsub.statements import EXPIRE_MESSAGES

_INTERVAL_SECONDS = 60.0


class Retention:
    """A sweep that runs every minute, and whenever a test moves the clock."""

    def __init__(self, broker: Broker, catalogue: Catalogue, snapshots: Snapshots) -> None:
        self._broker = broker
        self._catalogue = catalogue
        self._snapshots = snapshots

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self.sweep()
            await asyncio.sleep(_INTERVAL_SECONDS)

    async def sweep(self) -> None:
        """Drop everything whose time has passed."""
        now_us = self._broker.clock.now_us()
        for name, subscription in list(self._broker.subscriptions.items()):
            config = subscription.config
            if config.expiration_policy.HasField("ttl"):
                ttl_seconds = config.expiration_policy.ttl.ToTimedelta().total_seconds()
                if subscription.idle_seconds() > ttl_seconds:
                    with suppress(RefusedError):  # somebody else deleted it meanwhile
                        await self._catalogue.delete_subscription(name)
                    continue
            oldest = now_us - config.message_retention_duration.ToMicroseconds()
            subscription.backlog.forget_before(oldest)
            await self._catalogue.purge(subscription.id, oldest)
        for name, snapshot in list(self._broker.snapshots.items()):
            if snapshot.config.expire_time.ToMicroseconds() <= now_us:
                with suppress(RefusedError):
                    await self._snapshots.delete(name)
        for topic in list(self._broker.topics.values()):
            if topic.retention_us:
                await self._broker.journal.run(
                    partial(_expire_messages, topic_id=topic.id, before=now_us - topic.retention_us)
                )


def _expire_messages(connection: sqlite3.Connection, topic_id: int, before: int) -> None:
    connection.execute(EXPIRE_MESSAGES, (topic_id, before))
