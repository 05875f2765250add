"""Message ordering: per key, in the order of publishing, also when something fails."""

from collections import defaultdict

from tests.conformance.pubsub.pubsub_server import Listener, PubSubServer, RawStream, payloads, until


def data(received: list[bytes]) -> list[int]:
    return [int(payload) for payload in received]


def test_keys_arrive_in_order(pubsub: PubSubServer) -> None:
    """Messages of one key reach the callback in the order in which they were published."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    listener = Listener(pubsub, subscription)
    for number in range(40):
        pubsub.publisher.publish(topic, str(number).encode(), ordering_key=f"key-{number % 4}")
    seen = defaultdict[str, list[int]](list)
    for _ in range(40):
        message = listener.next()
        seen[message.ordering_key].append(int(message.data))
        message.ack()
    listener.close()
    assert seen == {f"key-{key}": list(range(key, 40, 4)) for key in range(4)}


def test_a_pull_gets_a_run_of_a_key(pubsub: PubSubServer) -> None:
    """A pull takes several messages of a key in order; the next pull waits until they are settled."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    pubsub.publish(topic, b"1", b"2", b"3", b"4", ordering_key="k")
    first = pubsub.pull(subscription, 2)
    assert [received.message.data for received in first] == [b"1", b"2"]
    assert pubsub.empty(subscription)
    pubsub.ack(subscription, first)
    assert [received.message.data for received in pubsub.pull(subscription, 2)] == [b"3", b"4"]


def test_keys_do_not_wait_for_each_other(pubsub: PubSubServer) -> None:
    """A key that is held up holds up no other key, and no message without one."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    pubsub.publish(topic, b"1", b"2", ordering_key="slow")
    pubsub.pull(subscription, 1)
    pubsub.publish(topic, b"3", ordering_key="fast")
    pubsub.publish(topic, b"4")
    assert payloads(pubsub.pull(subscription, 2)) == [b"3", b"4"]


def test_nack_brings_back_what_follows(pubsub: PubSubServer) -> None:
    """After a nack the message and all after it come again, even those acknowledged meanwhile."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    pubsub.publish(topic, b"1", b"2", b"3", ordering_key="k")
    one, two, three = pubsub.pull(subscription, 3)
    pubsub.ack(subscription, [one])
    pubsub.ack(subscription, [three])
    pubsub.nack(subscription, [two])
    again = pubsub.pull(subscription, 2)
    assert [received.message.data for received in again] == [b"2", b"3"]
    pubsub.ack(subscription, again)
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_expiry_brings_back_what_follows(pubsub: PubSubServer) -> None:
    """When the leases of a run expire, the run is delivered again in order."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    pubsub.publish(topic, b"1", b"2", b"3", ordering_key="k")
    pubsub.pull(subscription, 3)
    pubsub.advance(11)
    assert [received.message.data for received in pubsub.pull(subscription, 3)] == [b"1", b"2", b"3"]


def test_backoff_keeps_the_order(pubsub: PubSubServer) -> None:
    """A retry policy delays the key, not only the message."""
    topic = pubsub.topic()
    policy = {"minimum_backoff": {"seconds": 30}}
    subscription = pubsub.subscription(topic, enable_message_ordering=True, retry_policy=policy)
    pubsub.publish(topic, b"1", b"2", ordering_key="k")
    pubsub.nack(subscription, pubsub.pull(subscription, 1))
    assert pubsub.empty(subscription)
    pubsub.advance(31)
    assert [received.message.data for received in pubsub.pull(subscription, 2)] == [b"1", b"2"]


def test_a_key_stays_with_its_stream(pubsub: PubSubServer) -> None:
    """While a stream holds messages of a key, the following ones go to that stream."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    streams = [RawStream(pubsub, subscription) for _ in range(2)]
    for number in range(6):
        pubsub.publish(topic, str(number).encode(), ordering_key="k")
    until(lambda: sum(len(stream.received) for stream in streams) == 6, "all are delivered")
    (holder,) = (stream for stream in streams if stream.received)
    assert data([received.message.data for received in holder.received]) == list(range(6))
    for stream in streams:
        stream.close()


def test_a_key_moves_on_when_its_stream_breaks(pubsub: PubSubServer) -> None:
    """When the leases of a lost stream expire, its keys go to another stream, in order."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, enable_message_ordering=True)
    lost = RawStream(pubsub, subscription)
    pubsub.publish(topic, b"1", b"2", ordering_key="k")
    lost.wait(2)
    lost.close()
    heir = RawStream(pubsub, subscription)
    pubsub.publish(topic, b"3", ordering_key="k")
    assert not heir.received
    pubsub.advance(11)
    assert data([received.message.data for received in heir.wait(3)]) == [1, 2, 3]
    heir.close()
