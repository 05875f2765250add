"""Snapshots and seek."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from google.api_core import exceptions
from google.protobuf.field_mask_pb2 import FieldMask

from tests.conformance.pubsub.pubsub_server import PROJECT, PubSubServer, RawStream, payloads

DAY = 24 * 60 * 60


def snapshot_of(pubsub: PubSubServer, subscription: str) -> str:
    name = f"{PROJECT}/snapshots/s-{uuid.uuid4().hex}"
    pubsub.subscriber.create_snapshot(name=name, subscription=subscription)
    return name


def time_of(identity: str) -> datetime:
    """The publish time of a message."""
    return datetime.fromtimestamp(int(identity) / 1e6, UTC)


def drain(pubsub: PubSubServer, subscription: str, count: int) -> None:
    pubsub.ack(subscription, pubsub.pull(subscription, count))


def test_snapshot_round_trip(pubsub: PubSubServer) -> None:
    """Snapshots are found, listed, changed and deleted."""
    topic = pubsub.topic()
    name = snapshot_of(pubsub, pubsub.subscription(topic))
    assert pubsub.subscriber.get_snapshot(snapshot=name).topic == topic
    assert list(pubsub.publisher.list_topic_snapshots(topic=topic)) == [name]
    assert name in [snapshot.name for snapshot in pubsub.subscriber.list_snapshots(project=PROJECT)]
    pubsub.subscriber.update_snapshot(
        snapshot={"name": name, "labels": {"a": "b"}}, update_mask=FieldMask(paths=["labels"])
    )
    assert pubsub.subscriber.get_snapshot(snapshot=name).labels == {"a": "b"}
    pubsub.subscriber.delete_snapshot(snapshot=name)
    with pytest.raises(exceptions.NotFound):
        pubsub.subscriber.get_snapshot(snapshot=name)


def test_seek_to_a_snapshot(pubsub: PubSubServer) -> None:
    """Everything unacknowledged when the snapshot was taken, and published since, is delivered again."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"before")
    drain(pubsub, subscription, 1)
    pubsub.publish(topic, b"in")
    name = snapshot_of(pubsub, subscription)
    pubsub.publish(topic, b"after")
    drain(pubsub, subscription, 2)
    pubsub.subscriber.seek(request={"subscription": subscription, "snapshot": name})
    assert payloads(pubsub.pull(subscription, 2)) == [b"after", b"in"]
    assert pubsub.empty(subscription)


def test_another_subscription_seeks_to_the_snapshot(pubsub: PubSubServer) -> None:
    """A snapshot serves every subscription of its topic, through that one's filter, and no other topic's."""
    topic = pubsub.topic()
    name = snapshot_of(pubsub, pubsub.subscription(topic))
    pubsub.publish(topic, b"no")
    pubsub.publish(topic, b"yes", k="v")
    late = pubsub.subscription(topic, filter="attributes:k")
    pubsub.subscriber.seek(request={"subscription": late, "snapshot": name})
    assert payloads(pubsub.pull(late, 1)) == [b"yes"]
    assert pubsub.empty(late)
    foreign = pubsub.subscription(pubsub.topic())
    with pytest.raises(exceptions.FailedPrecondition):
        pubsub.subscriber.seek(request={"subscription": foreign, "snapshot": name})


def test_seek_forward_purges(pubsub: PubSubServer) -> None:
    """A seek to now acknowledges everything, leased or not."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    ids = pubsub.publish(topic, *[b"x"] * 10)
    pubsub.pull(subscription, 4)
    pubsub.advance(1)
    pubsub.subscriber.seek(request={"subscription": subscription, "time": time_of(str(int(ids[-1]) + 1))})
    pubsub.advance(700)
    assert pubsub.empty(subscription)
    pubsub.publish(topic, b"new")
    assert payloads(pubsub.pull(subscription, 1)) == [b"new"]


def test_seek_back_over_retained_messages(pubsub: PubSubServer) -> None:
    """A subscription that retains acknowledged messages delivers them again from the time on."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, retain_acked_messages=True)
    ids = pubsub.publish(topic, b"1", b"2", b"3")
    drain(pubsub, subscription, 3)
    assert pubsub.empty(subscription)
    pubsub.subscriber.seek(request={"subscription": subscription, "time": time_of(ids[1])})
    assert payloads(pubsub.pull(subscription, 2)) == [b"2", b"3"]
    assert pubsub.empty(subscription)


def test_seek_back_over_a_retaining_topic(pubsub: PubSubServer) -> None:
    """What a topic retains can be replayed even by a subscription made later, until the retention is over."""
    topic = pubsub.topic(message_retention_duration={"seconds": DAY})
    ids = pubsub.publish(topic, b"1", b"2")
    late = pubsub.subscription(topic)
    assert pubsub.empty(late)
    pubsub.subscriber.seek(request={"subscription": late, "time": time_of(ids[0])})
    drain(pubsub, late, 2)
    pubsub.advance(DAY + 100)
    pubsub.subscriber.seek(request={"subscription": late, "time": time_of(ids[0])})
    assert pubsub.empty(late)


def test_seek_back_over_nothing(pubsub: PubSubServer) -> None:
    """Where nothing retains them, acknowledged messages stay gone."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    ids = pubsub.publish(topic, b"1")
    drain(pubsub, subscription, 1)
    pubsub.subscriber.seek(request={"subscription": subscription, "time": time_of(ids[0])})
    assert pubsub.empty(subscription)


def test_open_stream_sees_a_seek(pubsub: PubSubServer) -> None:
    """A stream whose flow control was full gets the replayed messages."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, retain_acked_messages=True)
    stream = RawStream(pubsub, subscription, max_outstanding_messages=2)
    ids = pubsub.publish(topic, b"1", b"2")
    stream.wait(2)
    pubsub.subscriber.seek(request={"subscription": subscription, "time": time_of(ids[0])})
    stream.wait(4)
    stream.close()


def test_snapshot_lives_for_a_week(pubsub: PubSubServer) -> None:
    """A snapshot expires seven days after its oldest message was published."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, message_retention_duration={"seconds": 31 * DAY})
    pubsub.publish(topic, b"x")
    pubsub.advance(3 * DAY)
    name = snapshot_of(pubsub, subscription)
    pubsub.advance(3 * DAY)
    assert pubsub.subscriber.get_snapshot(snapshot=name).name == name
    pubsub.advance(DAY + 100)
    with pytest.raises(exceptions.NotFound):
        pubsub.subscriber.get_snapshot(snapshot=name)
    with pytest.raises(exceptions.FailedPrecondition):
        snapshot_of(pubsub, subscription)


def test_snapshots_survive_kill(new_server: Callable[..., PubSubServer]) -> None:
    """A snapshot still holds its messages after kill -9, and goes on collecting."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic, enable_message_ordering=True)
    server.publish(topic, b"1", ordering_key="k")
    name = snapshot_of(server, subscription)
    drain(server, subscription, 1)
    server.kill()
    server.start()
    server.answering()
    server.publish(topic, b"2", ordering_key="k")
    server.subscriber.seek(request={"subscription": subscription, "snapshot": name})
    assert payloads(server.pull(subscription, 2)) == [b"1", b"2"]
