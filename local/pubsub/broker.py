"""The broker: every topic and subscription, and the way of a message from publish to its last acknowledgement."""

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any

from local.faults.injection import Faults
from local.pubsub import deadletter
from local.pubsub.clock import Clock
from local.pubsub.faults import KINDS
from local.pubsub.journal import Journal, Publication, Settlement
from local.pubsub.leases import Lease
from local.pubsub.payloads import Payloads
from local.pubsub.statements import MessageRow, count_attempts
from local.pubsub.subscription import Subscription
from local.pubsub.topic import Snapshot, Topic


class Broker:
    """State in memory, over the journal on disk. Only the event loop touches it."""

    def __init__(self, clock: Clock, journal: Journal, reader: sqlite3.Connection) -> None:
        self.clock = clock
        self.journal = journal
        self.reader = reader
        self.faults = Faults(KINDS)
        self.payloads = Payloads(reader)
        self.topics: dict[str, Topic] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.snapshots: dict[str, Snapshot] = {}

    def publish(self, topic: Topic, messages: Sequence[Any]) -> tuple[list[MessageRow], asyncio.Future[None]]:
        """Store messages and hand them to the topic's subscriptions once they are on disk."""
        rows = topic.stamp(messages, self.clock)
        shares = [(subscription, _share(subscription, rows, messages)) for subscription in topic.subscriptions]
        backlogs = [(subscription.id, [row[0] for row in share]) for subscription, share in shares if share]
        backlogs += [(snapshot, [row[0] for row in rows]) for snapshot in topic.snapshots]
        if topic.retention_us or topic.snapshots:
            stored: Sequence[MessageRow] = rows
        elif any(share is rows for _, share in shares):
            stored = rows
        else:
            wanted = {identity for _, ids in backlogs for identity in ids}
            stored = [row for row in rows if row[0] in wanted]
        if not stored:
            nothing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            nothing.set_result(None)
            return rows, nothing
        future = self.journal.write(Publication(stored, backlogs))

        def deliver(committed: asyncio.Future[None]) -> None:
            if committed.exception() is not None:
                return
            for identity, _, _, body in stored:
                self.payloads.add(identity, body)
            for subscription, share in shares:
                if share and subscription.open:
                    if self.faults.active:
                        share = subscription.hold_back(share)  # noqa: PLW2901 - the rest of it
                    subscription.backlog.add([row[0] for row in share], [row[2] for row in share])
                    subscription.pump()

        future.add_done_callback(deliver)
        return rows, future

    def settled(self, subscription: Subscription, message_ids: Sequence[int]) -> asyncio.Future[None]:
        """Take acknowledged messages off the disk, or mark them where they are retained."""
        topic = self.topics.get(subscription.config.topic)
        retain = subscription.config.retain_acked_messages
        if topic is None or len(topic.subscriptions) == 1:
            self.payloads.discard(message_ids)
        return self.journal.write(Settlement(subscription.id, message_ids, retain))

    def undeliverable(self, subscription: Subscription, lease: Lease) -> bool:
        """Forward a message to the dead-letter topic, if that exists."""
        topic = self.topics.get(subscription.config.dead_letter_policy.dead_letter_topic)
        body = self.payloads.get(lease.message_id)
        if topic is None or body is None:
            return False
        _, stored = self.publish(topic, [deadletter.forwarded(body, subscription.config.name, lease.attempt)])

        def settle(committed: asyncio.Future[None]) -> None:
            if committed.exception() is not None:
                subscription.not_forwarded(lease)
            elif done := subscription.forwarded(lease):
                self.settled(subscription, done)

        stored.add_done_callback(settle)
        return True

    def attempted(self, subscription: Subscription, attempts: int, message_ids: Sequence[int]) -> None:
        """Count deliveries on disk; a crash may lose the last few."""
        self.journal.run(lambda connection: count_attempts(connection, subscription.id, attempts, message_ids))


def _share(subscription: Subscription, rows: Sequence[MessageRow], messages: Sequence[Any]) -> Sequence[MessageRow]:
    matches = subscription.matches
    if matches is None:
        return rows
    return [row for row, message in zip(rows, messages, strict=True) if matches(message.attributes)]
