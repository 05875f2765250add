"""Streaming pull: the client's futures, and the protocol beneath them."""

import pytest
from google.pubsub_v1.types import StreamingPullRequest

from tests.conformance.pubsub.pubsub_server import WAIT_SECONDS, Listener, PubSubServer, RawStream, payloads, until


def test_subscribe_and_acknowledge(pubsub: PubSubServer) -> None:
    """A subscriber's callback sees every message once."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    listener = Listener(pubsub, subscription)
    ids = pubsub.publish(topic, *[b"%d" % number for number in range(250)])
    messages = [listener.next() for _ in ids]
    for message in messages:
        message.ack()
    assert sorted(message.message_id for message in messages) == sorted(ids)
    listener.close()
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_nacked_message_returns_to_the_stream(pubsub: PubSubServer) -> None:
    """What a callback nacks is delivered again."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    listener = Listener(pubsub, subscription)
    pubsub.publish(topic, b"x")
    listener.next().nack()
    listener.next().ack()
    listener.close()
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_backlog_is_delivered_to_a_late_subscriber(pubsub: PubSubServer) -> None:
    """Messages published before the stream was opened arrive on it."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, *[b"x"] * 20)
    listener = Listener(pubsub, subscription)
    for _ in range(20):
        listener.next().ack()
    listener.close()


def test_flow_control_by_messages(pubsub: PubSubServer) -> None:
    """A stream holds no more than max_outstanding_messages; each one settled makes room for one."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, *[b"%02d" % number for number in range(10)])
    stream = RawStream(pubsub, subscription, max_outstanding_messages=3)
    stream.wait(3)
    assert len(pubsub.pull(subscription, 6)) == 6  # the others are there for whoever asks
    assert len(stream.received) == 3
    stream.send(ack_ids=[stream.received[0].ack_id])
    stream.wait(4)
    stream.close()


def test_flow_control_by_bytes(pubsub: PubSubServer) -> None:
    """A stream that holds max_outstanding_bytes gets nothing more."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, *[bytes(1000)] * 8)
    stream = RawStream(pubsub, subscription, max_outstanding_bytes=2500)
    stream.wait(3)
    assert len(pubsub.pull(subscription, 5)) == 5
    assert len(stream.received) == 3
    stream.close()


def test_flow_control_makes_room_when_a_lease_expires(pubsub: PubSubServer) -> None:
    """What a stream lost by its deadline no longer counts against it."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    stream = RawStream(pubsub, subscription, max_outstanding_messages=1)
    stream.wait(1)
    pubsub.advance(11)
    stream.wait(2)
    assert stream.received[0].message.message_id == stream.received[1].message.message_id
    stream.close()


def test_streams_share_fairly(pubsub: PubSubServer) -> None:
    """A batch is split between the streams that wait, although each of them could take it all."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    streams = [RawStream(pubsub, subscription) for _ in range(2)]
    pubsub.publisher.api.publish(topic=topic, messages=[{"data": b"x"}] * 40)
    until(lambda: sum(len(stream.received) for stream in streams) == 40, "all are delivered")
    assert [len(stream.received) for stream in streams] == [20, 20]
    for stream in streams:
        stream.close()


def test_single_messages_alternate(pubsub: PubSubServer) -> None:
    """Messages that trickle in go to the streams in turn."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    streams = [RawStream(pubsub, subscription) for _ in range(2)]
    for count in range(1, 11):
        pubsub.publish(topic, b"x")
        until(lambda: sum(len(stream.received) for stream in streams) == count, "it is delivered")  # noqa: B023
    assert [len(stream.received) for stream in streams] == [5, 5]
    for stream in streams:
        stream.close()


def test_deadline_of_the_stream(pubsub: PubSubServer) -> None:
    """The stream's own deadline holds, and may be changed on the way."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, ack_deadline_seconds=600)
    stream = RawStream(pubsub, subscription, stream_ack_deadline_seconds=20, max_outstanding_messages=1)
    pubsub.publish(topic, b"x")
    stream.wait(1)
    stream.send(stream_ack_deadline_seconds=60)
    pubsub.advance(21)
    stream.wait(2)
    pubsub.advance(50)
    assert pubsub.empty(subscription)
    pubsub.advance(11)
    stream.wait(3)
    stream.close()


def test_deadlines_modified_on_the_stream(pubsub: PubSubServer) -> None:
    """Leases are extended and given back by requests on the stream."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"keep", b"give back")
    stream = RawStream(pubsub, subscription, max_outstanding_messages=2)
    by_payload = {received.message.data: received.ack_id for received in stream.wait(2)}
    stream.send(
        modify_deadline_ack_ids=[by_payload[b"keep"], by_payload[b"give back"]], modify_deadline_seconds=[100, 0]
    )
    stream.wait(3)
    assert stream.received[2].message.data == b"give back"
    pubsub.advance(20)
    stream.wait(4)
    assert stream.received[3].message.data == b"give back"
    stream.close()


def test_half_close(pubsub: PubSubServer) -> None:
    """A client that sends no more requests gets an orderly end; acks before that count."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    stream = RawStream(pubsub, subscription)
    stream.send(ack_ids=[stream.wait(1)[0].ack_id])
    assert stream.half_close().name == "OK"
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_half_close_before_the_first_response(pubsub: PubSubServer) -> None:
    """A client may close its side at once; the stream ends although more waits than one response holds."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, *[b"x"] * 1500)
    first = StreamingPullRequest(subscription=subscription, stream_ack_deadline_seconds=10)
    call = pubsub.subscriber.transport.streaming_pull(iter([first]), timeout=WAIT_SECONDS)
    list(call)
    assert call.code().name == "OK"


@pytest.mark.parametrize(
    ("first", "later"),
    [
        ({"stream_ack_deadline_seconds": 9}, {}),
        ({"stream_ack_deadline_seconds": 601}, {}),
        ({}, {"stream_ack_deadline_seconds": 5}),
        ({}, {"max_outstanding_messages": 5}),
        ({}, {"modify_deadline_ack_ids": ["a"], "modify_deadline_seconds": [10, 20]}),
        ({}, {"modify_deadline_ack_ids": ["a"], "modify_deadline_seconds": [-1]}),
    ],
    ids=str,
)
def test_bad_requests_end_the_stream(pubsub: PubSubServer, first: dict[str, int], later: dict[str, int]) -> None:
    """A request that breaks the protocol ends the stream with INVALID_ARGUMENT."""
    stream = RawStream(pubsub, pubsub.subscription(pubsub.topic()), **first)
    if later:
        stream.send(**later)
    assert stream.ended().name == "INVALID_ARGUMENT"


def test_stream_that_breaks_keeps_its_leases(pubsub: PubSubServer) -> None:
    """What a lost client held is delivered to others after the deadline, not before."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    stream = RawStream(pubsub, subscription)
    stream.wait(1)
    stream.close()
    assert pubsub.empty(subscription)
    pubsub.advance(11)
    assert payloads(pubsub.pull(subscription, 1)) == [b"x"]


def test_large_messages_stream(pubsub: PubSubServer) -> None:
    """Messages of several MB pass through a stream, although two of them exceed gRPC's default limit."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    listener = Listener(pubsub, subscription)
    for _ in range(3):
        pubsub.publish(topic, bytes(3_500_000))
    for _ in range(3):
        message = listener.next()
        assert len(message.data) == 3_500_000
        message.ack()
    listener.close()
