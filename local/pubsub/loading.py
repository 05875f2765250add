"""What a start reads back from the disk."""

import sqlite3
from collections import defaultdict

from google.pubsub_v1.types import pubsub

from local.pubsub import filters
from local.pubsub.broker import Broker
from local.pubsub.subscription import Subscription
from local.pubsub.topic import Snapshot, Topic

_TOPICS = "SELECT id, config FROM topics"

_SUBSCRIPTIONS = "SELECT id, topic_id, config FROM subscriptions WHERE kind = ?"

_BACKLOG = "SELECT message_id, subscription_id, acked, attempts FROM backlog ORDER BY message_id"

_ORDERED_BACKLOG = """
SELECT message_id, ordering_key, attempts FROM backlog JOIN messages ON messages.id = message_id
WHERE subscription_id = ? AND acked = 0 ORDER BY message_id
"""

#: Rows handed to a subscription at once, so that a million of them make no million calls.
_CHUNK = 4096


def load(broker: Broker, connection: sqlite3.Connection) -> set[int]:
    """Fill an empty broker. Every message that was leased when the server ended is available again.

    Returns the ids of subscriptions and snapshots that were deleted before all of their backlog was.
    """
    topics: dict[int, Topic] = {}
    for identity, blob in connection.execute(_TOPICS):
        topic = Topic(identity, pubsub.Topic.pb().FromString(blob))
        topics[identity] = topic
        broker.topics[topic.config.name] = topic
    subscriptions: dict[int, Subscription] = {}
    for identity, topic_id, blob in connection.execute(_SUBSCRIPTIONS, ("subscription",)):
        config = pubsub.Subscription.pb().FromString(blob)
        matches = filters.parse(config.filter) if config.filter else None
        subscription = Subscription(identity, config, broker, matches)
        broker.subscriptions[config.name] = subscription
        if config.detached:
            continue
        subscriptions[identity] = subscription
        if topic_id in topics:
            topics[topic_id].subscriptions.append(subscription)
    snapshots: set[int] = set()
    for identity, topic_id, blob in connection.execute(_SUBSCRIPTIONS, ("snapshot",)):
        snapshot = Snapshot(identity, pubsub.Snapshot.pb().FromString(blob))
        broker.snapshots[snapshot.config.name] = snapshot
        snapshots.add(identity)
        if topic_id in topics:
            topics[topic_id].snapshots.append(identity)
    broker.clock.start_after(connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0])
    ordered = {identity: one for identity, one in subscriptions.items() if one.config.enable_message_ordering}
    for identity, subscription in ordered.items():
        for message_id, key, attempts in connection.execute(_ORDERED_BACKLOG, (identity,)):
            subscription.backlog.restore(message_id, key, attempts)
    plain = {identity: one for identity, one in subscriptions.items() if identity not in ordered}
    return _load_plain(connection, plain) - set(ordered) - snapshots


def _load_plain(connection: sqlite3.Connection, subscriptions: dict[int, Subscription]) -> set[int]:
    """Fill the backlogs without order. Returns the ids of all others that have one."""
    fresh = defaultdict[int, list[int]](list)
    others: set[int] = set()
    for message_id, subscription_id, acked, attempts in connection.execute(_BACKLOG):
        subscription = subscriptions.get(subscription_id)
        if subscription is None:
            others.add(subscription_id)
        elif attempts and not acked:
            subscription.backlog.restore(message_id, "", attempts)
        elif not acked:
            waiting = fresh[subscription_id]
            waiting.append(message_id)
            if len(waiting) == _CHUNK:
                subscription.backlog.add(waiting, ())
                waiting.clear()
    for subscription_id, waiting in fresh.items():
        subscriptions[subscription_id].backlog.add(waiting, ())
    return others
