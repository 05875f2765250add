"""Exactly-once delivery: acknowledgements that are answered, and ack ids that end with their lease."""

from collections.abc import Callable

import pytest
from google.api_core import exceptions
from google.cloud.pubsub_v1.subscriber.exceptions import AcknowledgeError, AcknowledgeStatus
from google.protobuf.field_mask_pb2 import FieldMask

from tests.conformance.pubsub.pubsub_server import Listener, PubSubServer, RawStream, until

INVALID = "PERMANENT_FAILURE_INVALID_ACK_ID"


def exactly_once(pubsub: PubSubServer, **settings: object) -> tuple[str, str]:
    topic = pubsub.topic()
    return topic, pubsub.subscription(topic, enable_exactly_once_delivery=True, **settings)


def test_ack_with_response(pubsub: PubSubServer) -> None:
    """The client's future of an acknowledgement succeeds once it is stored."""
    topic, subscription = exactly_once(pubsub)
    listener = Listener(pubsub, subscription)
    pubsub.publish(topic, b"x")
    assert listener.next().ack_with_response().result(20) is AcknowledgeStatus.SUCCESS
    listener.close()
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_ack_after_the_lease(pubsub: PubSubServer) -> None:
    """The client learns that its acknowledgement came too late."""
    topic, subscription = exactly_once(pubsub)
    listener = Listener(pubsub, subscription)
    pubsub.publish(topic, b"x")
    late = listener.next()
    pubsub.advance(700)
    with pytest.raises(AcknowledgeError) as refused:
        late.ack_with_response().result(20)
    assert refused.value.error_code is AcknowledgeStatus.INVALID_ACK_ID
    assert listener.next().ack_with_response().result(20) is AcknowledgeStatus.SUCCESS
    listener.close()


def test_unary_ack_names_the_invalid_ids(pubsub: PubSubServer) -> None:
    """A unary acknowledgement is refused with the invalid ids in ErrorInfo; the valid ones count."""
    topic, subscription = exactly_once(pubsub)
    pubsub.publish(topic, b"a", b"b")
    first, second = pubsub.pull(subscription, 2)
    pubsub.ack(subscription, [first])
    with pytest.raises(exceptions.InvalidArgument) as refused:
        pubsub.ack(subscription, [first, second])
    assert refused.value.metadata == {first.ack_id: INVALID}
    assert refused.value.reason == "EXACTLY_ONCE_ACKID_FAILURE"
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_deadline_of_an_expired_lease(pubsub: PubSubServer) -> None:
    """A lease that has expired cannot be extended."""
    topic, subscription = exactly_once(pubsub)
    pubsub.publish(topic, b"x")
    held = pubsub.pull(subscription, 1)
    pubsub.advance(11)
    with pytest.raises(exceptions.InvalidArgument) as refused:
        pubsub.deadline(subscription, held, 60)
    assert refused.value.metadata == {held[0].ack_id: INVALID}


def test_confirmations_on_the_stream(pubsub: PubSubServer) -> None:
    """Requests on a stream are confirmed on it, each ack id as valid or invalid."""
    topic, subscription = exactly_once(pubsub)
    pubsub.publish(topic, b"x")
    stream = RawStream(pubsub, subscription)
    ack_id = stream.wait(1)[0].ack_id
    stream.send(modify_deadline_ack_ids=[ack_id, "1-1-1"], modify_deadline_seconds=[60, 60])
    stream.send(ack_ids=[ack_id, "1-1-1"])
    until(lambda: any(response.acknowledge_confirmation.ack_ids for response in stream.responses), "it is confirmed")
    deadlines, acks = (
        next(part for response in stream.responses if (part := getattr(response, field)).ack_ids)
        for field in ("modify_ack_deadline_confirmation", "acknowledge_confirmation")
    )
    assert (list(deadlines.ack_ids), list(deadlines.invalid_ack_ids)) == ([ack_id], ["1-1-1"])
    assert (list(acks.ack_ids), list(acks.invalid_ack_ids)) == ([ack_id], ["1-1-1"])
    stream.close()


def test_streams_say_what_the_subscription_is(pubsub: PubSubServer) -> None:
    """The first response of a stream carries the properties, and later ones their changes."""
    topic, subscription = exactly_once(pubsub)
    stream = RawStream(pubsub, subscription)
    assert stream.responses[0].subscription_properties.exactly_once_delivery_enabled
    pubsub.subscriber.update_subscription(
        subscription={"name": subscription, "enable_exactly_once_delivery": False},
        update_mask=FieldMask(paths=["enable_exactly_once_delivery"]),
    )
    pubsub.publish(topic, b"x")
    stream.wait(1)
    assert not stream.responses[-1].subscription_properties.exactly_once_delivery_enabled
    stream.close()


def test_ack_ids_end_with_the_server(new_server: Callable[..., PubSubServer]) -> None:
    """After a restart the message is delivered anew, so the old ack id is invalid."""
    server = new_server()
    topic, subscription = exactly_once(server)
    server.publish(topic, b"x")
    old = server.pull(subscription, 1)
    server.kill()
    server.start()
    server.answering()
    with pytest.raises(exceptions.InvalidArgument):
        server.ack(subscription, old)
    server.ack(subscription, server.pull(subscription, 1))
    assert server.empty(subscription)
