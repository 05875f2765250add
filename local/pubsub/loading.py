"""What a start reads back from the disk."""

import sqlite3
from collections import defaultdict
from typing import Any

from google.pubsub_v1.types import pubsub

from local.pubsub import filters
from local.pubsub.broker import Broker
from local.pubsub.subscription import Subscription
from local.pubsub.topic import Topic

_BACKLOG = """
SELECT message_id, subscription_id, attempts FROM backlog WHERE acked = 0 ORDER BY message_id
"""

#: Rows handed to a subscription at once, so that a million of them make no million calls.
_CHUNK = 4096


def load(broker: Broker, connection: sqlite3.Connection) -> None:
    """Fill an empty broker. Every message that was leased when the server ended is available again."""
    topics: dict[int, Topic] = {}
    for identity, blob in connection.execute("SELECT id, config FROM topics"):
        topic = Topic(identity, pubsub.Topic.pb().FromString(blob))
        topics[identity] = topic
        broker.topics[topic.config.name] = topic
    subscriptions: dict[int, Subscription] = {}
    for identity, topic_id, blob in connection.execute(
        "SELECT id, topic_id, config FROM subscriptions WHERE kind = 'subscription'"
    ):
        config: Any = pubsub.Subscription.pb().FromString(blob)
        matches = filters.parse(config.filter) if config.filter else None
        subscription = Subscription(identity, config, broker, matches)
        subscriptions[identity] = subscription
        broker.subscriptions[config.name] = subscription
        if topic_id in topics and not config.detached:
            topics[topic_id].subscriptions.append(subscription)
    _load_backlog(broker, connection, subscriptions)


def _load_backlog(broker: Broker, connection: sqlite3.Connection, subscriptions: dict[int, Subscription]) -> None:
    fresh = defaultdict[int, list[int]](list)
    last = 0
    for last, subscription_id, attempts in connection.execute(_BACKLOG):
        subscription = subscriptions.get(subscription_id)
        if subscription is None:
            continue
        if attempts:
            subscription.backlog.give_back(last, attempts, broker.clock.monotonic())
            continue
        waiting = fresh[subscription_id]
        waiting.append(last)
        if len(waiting) == _CHUNK:
            subscription.backlog.add(waiting, ())
            waiting.clear()
    for subscription_id, waiting in fresh.items():
        subscriptions[subscription_id].backlog.add(waiting, ())
    broker.clock.start_after(max(last, connection.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()[0]))
