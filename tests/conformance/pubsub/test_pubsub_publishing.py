"""Publishing: what arrives, and what is refused."""

import pytest
from google.api_core import exceptions

from local.clients import subscriber_of
from tests.conformance.pubsub.pubsub_server import PubSubServer, payloads


def test_message_arrives_whole(pubsub: PubSubServer) -> None:
    """Data, attributes, ordering key, id and publish time arrive as they were sent."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    (identity,) = pubsub.publish(topic, "héllo".encode(), ordering_key="k", place="Malmö")
    (received,) = pubsub.pull(subscription, 1)
    assert received.message.data.decode() == "héllo"
    assert dict(received.message.attributes) == {"place": "Malmö"}
    assert received.message.ordering_key == "k"
    assert received.message.message_id == identity
    assert abs(received.message.publish_time.timestamp() * 1e6 - int(identity)) < 1
    assert received.delivery_attempt == 0


def test_ids_differ_and_grow(pubsub: PubSubServer) -> None:
    """No two messages have the same id."""
    ids = pubsub.publish(pubsub.topic(), *[b"x"] * 500)
    assert len(set(ids)) == 500


def test_every_subscription_gets_every_message(pubsub: PubSubServer) -> None:
    """Acknowledging in one subscription leaves the message in the other."""
    topic = pubsub.topic()
    first, second = pubsub.subscription(topic), pubsub.subscription(topic)
    pubsub.publish(topic, b"a", b"b")
    pubsub.ack(first, pubsub.pull(first, 2))
    assert payloads(pubsub.pull(second, 2)) == [b"a", b"b"]


def test_attributes_alone_are_a_message(pubsub: PubSubServer) -> None:
    """A message without data needs attributes."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"", k="v")
    assert dict(pubsub.pull(subscription, 1)[0].message.attributes) == {"k": "v"}
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.publish(topic, b"")


def test_large_message(pubsub: PubSubServer) -> None:
    """Nearly 10 MB pass in both directions (in a client without gRPC's default limit); more is refused."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    body = bytes(9_900_000)
    pubsub.publish(topic, body)
    subscriber = subscriber_of(pubsub.address)
    assert subscriber.pull(subscription=subscription, max_messages=1).received_messages[0].message.data == body
    subscriber.close()
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.publisher.api.publish(topic=topic, messages=[{"data": bytes(10_000_001)}])


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"data": b"x"}] * 1001,
        [{"data": b"x", "attributes": {str(number): "v" for number in range(101)}}],
        [{"data": b"x", "attributes": {"k" * 257: "v"}}],
        [{"data": b"x", "attributes": {"k": "v" * 1025}}],
        [{"data": b"x", "attributes": {"googclient": "v"}}],
        [{"data": b"x", "attributes": {"": "v"}}],
        [{"data": b"x", "ordering_key": "k" * 1025}],
    ],
    ids=["none", "too many", "attributes", "long key", "long value", "goog", "no key", "ordering key"],
)
def test_limits_of_a_request(pubsub: PubSubServer, messages: list[dict[str, object]]) -> None:
    """What the real service refuses is refused."""
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.publisher.api.publish(topic=pubsub.topic(), messages=messages)


def test_a_refused_request_stores_nothing(pubsub: PubSubServer) -> None:
    """One bad message spoils its request as a whole."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.publisher.api.publish(topic=topic, messages=[{"data": b"good"}, {}])
    assert pubsub.empty(subscription)


def test_client_cannot_choose_the_id(pubsub: PubSubServer) -> None:
    """An id and a time that a publisher sends are replaced."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    response = pubsub.publisher.api.publish(
        topic=topic, messages=[{"data": b"x", "message_id": "mine", "publish_time": {"seconds": 1, "nanos": 7}}]
    )
    message = pubsub.pull(subscription, 1)[0].message
    assert [message.message_id] == list(response.message_ids)
    assert message.publish_time.year >= 2026
