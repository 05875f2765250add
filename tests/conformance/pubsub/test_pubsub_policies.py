"""Retry policy, dead letters, filters."""

from collections.abc import Mapping

import pytest
from google.api_core import exceptions

from tests.conformance.pubsub.pubsub_server import PROJECT, PubSubServer, RawStream, payloads

DEAD = "CloudPubSubDeadLetterSource"


def test_backoff_grows_to_its_maximum(pubsub: PubSubServer) -> None:
    """With a retry policy a nacked message comes back after 10, 20, 40, 40… s."""
    topic = pubsub.topic()
    policy = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 40}}
    subscription = pubsub.subscription(topic, retry_policy=policy)
    pubsub.publish(topic, b"x")
    for seconds in (10, 20, 40, 40):
        pubsub.nack(subscription, pubsub.pull(subscription, 1))
        pubsub.advance(seconds - 2)
        assert pubsub.empty(subscription)
        pubsub.advance(2)
    assert payloads(pubsub.pull(subscription, 1)) == [b"x"]


def test_backoff_after_an_expired_lease(pubsub: PubSubServer) -> None:
    """A lease that ran out counts as a failure of the retry policy, too."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, retry_policy={"minimum_backoff": {"seconds": 60}})
    pubsub.publish(topic, b"x")
    pubsub.pull(subscription, 1)
    pubsub.advance(11)
    assert pubsub.empty(subscription)
    pubsub.advance(60)
    assert payloads(pubsub.pull(subscription, 1)) == [b"x"]


def test_backoff_of_one_message_holds_up_no_other(pubsub: PubSubServer) -> None:
    """While one message waits for its retry the others are delivered."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, retry_policy={"minimum_backoff": {"seconds": 600}})
    pubsub.publish(topic, b"a")
    pubsub.nack(subscription, pubsub.pull(subscription, 1))
    pubsub.publish(topic, b"b")
    assert payloads(pubsub.pull(subscription, 1)) == [b"b"]


def test_backoff_wakes_a_waiting_stream(pubsub: PubSubServer) -> None:
    """A stream that waits gets the retried message when its time has come."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic, retry_policy={"minimum_backoff": {"seconds": 30}})
    stream = RawStream(pubsub, subscription)
    pubsub.publish(topic, b"x")
    stream.send(modify_deadline_ack_ids=[stream.wait(1)[0].ack_id], modify_deadline_seconds=[0])
    assert pubsub.empty(subscription)
    pubsub.advance(31)
    stream.wait(2)
    stream.close()


def dead_lettering(pubsub: PubSubServer, **settings: object) -> tuple[str, str, str]:
    """A topic, its subscription with five attempts, and the subscription of its dead-letter topic."""
    topic, dead = pubsub.topic(), pubsub.topic()
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    return topic, pubsub.subscription(topic, dead_letter_policy=policy, **settings), pubsub.subscription(dead)


def test_attempts_are_counted_and_the_last_one_is_forwarded(pubsub: PubSubServer) -> None:
    """Each delivery says which it is; after the last the message is in the dead-letter topic, with its origin."""
    topic, subscription, graveyard = dead_lettering(pubsub)
    (identity,) = pubsub.publish(topic, b"poison", kind="song")
    for attempt in range(1, 6):
        (received,) = pubsub.pull(subscription, 1)
        assert received.delivery_attempt == attempt
        pubsub.nack(subscription, [received])
    (dead,) = pubsub.pull(graveyard, 1)
    assert dead.message.data == b"poison"
    assert dead.message.message_id != identity
    assert dead.message.attributes["kind"] == "song"
    assert dead.message.attributes[f"{DEAD}DeliveryCount"] == "5"
    assert dead.message.attributes[f"{DEAD}Subscription"] == subscription.rpartition("/")[2]
    assert dead.message.attributes[f"{DEAD}SubscriptionProject"] == PROJECT.rpartition("/")[2]
    assert dead.message.attributes[f"{DEAD}TopicPublishTime"].endswith("Z")
    assert dead.delivery_attempt == 0
    pubsub.advance(700)
    assert pubsub.empty(subscription)


def test_expired_leases_lead_to_the_dead_letter_topic(pubsub: PubSubServer) -> None:
    """A message whose holders all died is forwarded, too."""
    topic, subscription, graveyard = dead_lettering(pubsub)
    pubsub.publish(topic, b"x")
    for _ in range(5):
        pubsub.pull(subscription, 1)
        pubsub.advance(11)
    assert payloads(pubsub.pull(graveyard, 1)) == [b"x"]


def test_missing_dead_letter_topic_loses_nothing(pubsub: PubSubServer) -> None:
    """Where there is no dead-letter topic, the message goes on being delivered."""
    topic = pubsub.topic()
    policy = {"dead_letter_topic": f"{PROJECT}/topics/no-such-topic", "max_delivery_attempts": 5}
    subscription = pubsub.subscription(topic, dead_letter_policy=policy)
    pubsub.publish(topic, b"x")
    for _ in range(6):
        pubsub.nack(subscription, pubsub.pull(subscription, 1))
    assert pubsub.pull(subscription, 1)[0].delivery_attempt == 7


def test_attempts_are_hidden_without_a_policy(pubsub: PubSubServer) -> None:
    """Without a dead-letter policy no delivery says which attempt it is."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    pubsub.nack(subscription, pubsub.pull(subscription, 1))
    assert pubsub.pull(subscription, 1)[0].delivery_attempt == 0


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ('attributes.type = "a"', {"a", "ab"}),
        ('attributes.type != "a"', {"b", "none"}),
        ("attributes:type", {"a", "b", "ab"}),
        ("NOT attributes:type", {"none"}),
        ("-attributes:type", {"none"}),
        ('hasPrefix(attributes.size, "1")', {"ab"}),
        ('attributes.type = "a" AND attributes:size', {"ab"}),
        ('attributes.type = "b" OR attributes.size = "10"', {"b", "ab"}),
        ('NOT (attributes.type = "a" OR attributes.type = "b")', {"none"}),
        ('(attributes:type AND NOT attributes:size) OR attributes.odd-key = "q\\"q"', {"a", "b", "none"}),
        ('attributes."type" = "a" AND NOT attributes."size":"', None),
    ],
)
def test_filters(pubsub: PubSubServer, expression: str, wanted: set[str] | None) -> None:
    """A subscription gets the messages its filter matches, and the others are as if acknowledged."""
    topic = pubsub.topic()
    if wanted is None:
        with pytest.raises(exceptions.InvalidArgument):
            pubsub.subscription(topic, filter=expression)
        return
    subscription = pubsub.subscription(topic, filter=expression)
    messages: Mapping[str, Mapping[str, str]] = {
        "a": {"type": "a"},
        "b": {"type": "b"},
        "ab": {"type": "a", "size": "10"},
        "none": {"odd-key": 'q"q'},
    }
    for name, attributes in messages.items():
        pubsub.publish(topic, name.encode(), **attributes)
    assert {payload.decode() for payload in payloads(pubsub.pull(subscription, len(wanted)))} == wanted
    assert pubsub.empty(subscription)


@pytest.mark.parametrize(
    "expression",
    [
        "attributes",
        "attributes.k",
        "attributes.k = v",
        'attributes.k == "v"',
        'attributes.k = "v" and attributes:x',
        'attributes.k = "v" AND',
        "(attributes:k",
        "attributes:k)",
        "attributes:a AND attributes:b OR attributes:c",
        'hasPrefix(attributes.k "v")',
        'hasSuffix(attributes.k, "v")',
        'data = "v"',
        'attributes.k = "v',
        'attributes.k > "v"',
        f'attributes.k = "{"v" * 256}"',
        " ",
    ],
)
def test_bad_filters(pubsub: PubSubServer, expression: str) -> None:
    """A filter outside of the language is refused when the subscription is made."""
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.subscription(pubsub.topic(), filter=expression)
