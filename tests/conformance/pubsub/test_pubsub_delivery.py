"""Unary pull: leases, acknowledgements, redelivery."""

import threading
from collections.abc import Callable

import pytest
from google.api_core import exceptions

from tests.conformance.pubsub.pubsub_server import PubSubServer, payloads, until


def test_acknowledged_is_gone(pubsub: PubSubServer) -> None:
    """An acknowledged message never comes back, however late it is."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    pubsub.ack(subscription, pubsub.pull(subscription, 1))
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_leased_is_not_delivered_twice(pubsub: PubSubServer) -> None:
    """Within its deadline a message has one holder."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    pubsub.pull(subscription, 1)
    pubsub.advance(9)
    assert pubsub.empty(subscription)


def test_expired_lease_comes_back(pubsub: PubSubServer) -> None:
    """After the deadline the message is delivered again, with another ack id."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, ack_deadline_seconds=30)
    pubsub.publish(topic, b"x")
    (first,) = pubsub.pull(subscription, 1)
    pubsub.advance(29)
    assert pubsub.empty(subscription)
    pubsub.advance(2)
    (second,) = pubsub.pull(subscription, 1)
    assert second.message.message_id == first.message.message_id
    assert second.ack_id != first.ack_id


def test_deadline_extended(pubsub: PubSubServer) -> None:
    """A holder may keep a message for as long as it asks in time."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    held = pubsub.pull(subscription, 1)
    for _ in range(3):
        pubsub.deadline(subscription, held, 600)
        pubsub.advance(590)
        assert pubsub.empty(subscription)
    pubsub.advance(11)
    assert len(pubsub.pull(subscription, 1)) == 1


def test_deadline_shortened(pubsub: PubSubServer) -> None:
    """A new deadline may also be earlier than the old one."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, ack_deadline_seconds=600)
    pubsub.publish(topic, b"x")
    pubsub.deadline(subscription, pubsub.pull(subscription, 1), 10)
    pubsub.advance(11)
    assert len(pubsub.pull(subscription, 1)) == 1


def test_nack_comes_back_at_once(pubsub: PubSubServer) -> None:
    """Deadline 0 gives a message back; without a retry policy the next pull has it."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    for _ in range(5):
        received = pubsub.pull(subscription, 1)
        pubsub.nack(subscription, received)
    assert payloads(pubsub.pull(subscription, 1)) == [b"x"]


def test_nacked_messages_do_not_starve_fresh_ones(pubsub: PubSubServer) -> None:
    """A message that always fails takes turns with the others."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"poison", *[b"fine"] * 5)
    fine = 0
    for _ in range(12):
        (received,) = pubsub.pull(subscription, 1)
        if received.message.data == b"poison":
            pubsub.nack(subscription, [received])
        else:
            pubsub.ack(subscription, [received])
            fine += 1
    assert fine == 5


def test_late_acknowledgement_counts(pubsub: PubSubServer) -> None:
    """Without exactly-once delivery an ack after the deadline still settles a message that nobody has fetched."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    late = pubsub.pull(subscription, 1)
    pubsub.advance(11)
    pubsub.ack(subscription, late)
    assert pubsub.empty(subscription)


def test_unknown_ack_ids_are_ignored(pubsub: PubSubServer) -> None:
    """Malformed, foreign and repeated ack ids are answered OK and change nothing."""
    topic = pubsub.topic()
    subscription, other = pubsub.subscription(topic), pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    foreign = pubsub.pull(other, 1)
    pubsub.ack(subscription, foreign)
    pubsub.subscriber.acknowledge(
        subscription=subscription, ack_ids=["nonsense", "", "1-2-3", "-", "ü", f"1-1-{'9' * 5000}"]
    )
    pubsub.ack(other, foreign)
    pubsub.ack(other, foreign)
    assert payloads(pubsub.pull(subscription, 1)) == [b"x"]


@pytest.mark.parametrize("seconds", [-1, 601])
def test_deadline_out_of_bounds(pubsub: PubSubServer, seconds: int) -> None:
    """A deadline below 0 or above 600 is refused."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.deadline(subscription, pubsub.pull(subscription, 1), seconds)


def test_requests_without_content(pubsub: PubSubServer) -> None:
    """A pull of nothing and an acknowledgement of nothing are refused."""
    subscription = pubsub.subscription(pubsub.topic())
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.subscriber.pull(subscription=subscription, max_messages=0)
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.subscriber.acknowledge(subscription=subscription, ack_ids=[])


def test_pull_takes_no_more_than_it_asks_for(pubsub: PubSubServer) -> None:
    """Two pulls share a backlog; neither hoards."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, *[b"%d" % number for number in range(6)])
    first = pubsub.pull(subscription, 2)
    second = pubsub.pull(subscription, 4)
    assert payloads([*first, *second]) == [b"0", b"1", b"2", b"3", b"4", b"5"]


def test_pull_of_large_messages(pubsub: PubSubServer) -> None:
    """A response stays within what a client can receive; the rest waits for the next pull."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    for _ in range(4):
        pubsub.publish(topic, bytes(1_500_000))
    first = pubsub.subscriber.pull(subscription=subscription, max_messages=4).received_messages
    assert len(first) == 2
    assert len(pubsub.pull(subscription, 2)) == 2


def test_pull_waits_for_a_message(pubsub: PubSubServer) -> None:
    """A pull of an empty subscription is answered as soon as something is published."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    received: list[bytes] = []
    puller = threading.Thread(target=lambda: received.extend(payloads(pubsub.pull(subscription, 1))))
    puller.start()
    pubsub.publish(topic, b"x")
    puller.join(20)
    assert received == [b"x"]


def test_empty_pull_ends(pubsub: PubSubServer) -> None:
    """A pull that finds nothing ends by itself (this server was told to wait 1 s), at once if asked to."""
    subscription = pubsub.subscription(pubsub.topic())
    assert pubsub.empty(subscription)
    assert not pubsub.subscriber.pull(subscription=subscription, max_messages=1).received_messages


def test_abandoned_pull_takes_nothing(new_server: Callable[..., PubSubServer]) -> None:
    """A pull whose client has given up leaves messages to others."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic, ack_deadline_seconds=600)
    for _ in range(3):
        with pytest.raises(exceptions.DeadlineExceeded):
            server.subscriber.pull(subscription=subscription, max_messages=1, timeout=0.2, retry=None)
    server.publish(topic, b"x")
    assert payloads(server.pull(subscription, 1)) == [b"x"], "an abandoned pull holds it until its deadline"


def test_retention(pubsub: PubSubServer) -> None:
    """A message that nobody acknowledged is kept for the retention of the subscription, then dropped."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, message_retention_duration={"seconds": 3600})
    pubsub.publish(topic, b"x")
    pubsub.advance(3500)
    pubsub.nack(subscription, pubsub.pull(subscription, 1))
    pubsub.advance(200)
    assert pubsub.empty(subscription)


def test_a_queue_waits_for_days(pubsub: PubSubServer) -> None:
    """By default messages wait for a week."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    pubsub.advance(6 * 24 * 3600)
    assert payloads(pubsub.pull(subscription, 1)) == [b"x"]


def test_many_pullers_share_a_backlog(pubsub: PubSubServer) -> None:
    """Concurrent pullers that acknowledge get every message exactly once."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, ack_deadline_seconds=600)
    ids = pubsub.publish(topic, *[b"x"] * 300)
    got: list[str] = []

    def pull_all() -> None:
        while len(got) < len(ids):
            request = {"subscription": subscription, "max_messages": 7}
            received = pubsub.subscriber.pull(request=request).received_messages
            got.extend(message.message.message_id for message in received)
            if received:
                pubsub.ack(subscription, received)

    pullers = [threading.Thread(target=pull_all) for _ in range(4)]
    for puller in pullers:
        puller.start()
    for puller in pullers:
        puller.join(30)
    assert sorted(got) == sorted(ids)
    assert until(lambda: pubsub.empty(subscription), "nothing is left")
