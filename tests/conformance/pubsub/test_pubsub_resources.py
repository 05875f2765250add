"""Topics and subscriptions: created, listed, changed, deleted."""

from collections.abc import Callable

import pytest
from google.api_core import exceptions
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from tests.conformance.pubsub.pubsub_server import PROJECT, PubSubServer, RawStream, payloads, until

DAY = 24 * 60 * 60


def test_topic_round_trip(pubsub: PubSubServer) -> None:
    """A topic is found with its labels until it is deleted."""
    topic = pubsub.topic(labels={"team": "mill"})
    assert pubsub.publisher.get_topic(topic=topic).labels == {"team": "mill"}
    pubsub.publisher.delete_topic(topic=topic)
    with pytest.raises(exceptions.NotFound):
        pubsub.publisher.get_topic(topic=topic)


def test_missing_topic(pubsub: PubSubServer) -> None:
    """Publishing to, subscribing to and deleting a topic that is not there answer NOT_FOUND."""
    topic = f"{PROJECT}/topics/nowhere"
    with pytest.raises(exceptions.NotFound):
        pubsub.publish(topic, b"x")
    with pytest.raises(exceptions.NotFound):
        pubsub.subscription(topic)
    with pytest.raises(exceptions.NotFound):
        pubsub.publisher.delete_topic(topic=topic)


def test_missing_subscription(pubsub: PubSubServer) -> None:
    """Pulling, acknowledging and streaming from a subscription that is not there answer NOT_FOUND."""
    subscription = f"{PROJECT}/subscriptions/nowhere"
    with pytest.raises(exceptions.NotFound):
        pubsub.subscriber.pull(subscription=subscription, max_messages=1)
    with pytest.raises(exceptions.NotFound):
        pubsub.subscriber.acknowledge(subscription=subscription, ack_ids=["1-1-1"])
    with pytest.raises(exceptions.NotFound):
        pubsub.subscriber.subscribe(subscription, lambda message: message.ack()).result(10)


def test_names_are_taken_once(pubsub: PubSubServer) -> None:
    """A second topic or subscription of a name answers ALREADY_EXISTS."""
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    with pytest.raises(exceptions.AlreadyExists):
        pubsub.publisher.create_topic(name=topic)
    with pytest.raises(exceptions.AlreadyExists):
        pubsub.subscriber.create_subscription(name=subscription, topic=topic)


@pytest.mark.parametrize("name", ["ab", "1abc", "goog-topic", "a" * 256, "with space", "a/b"])
def test_bad_names(pubsub: PubSubServer, name: str) -> None:
    """Names outside of the documented form are refused."""
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.publisher.create_topic(name=f"{PROJECT}/topics/{name}")


def test_listing_has_pages(pubsub: PubSubServer) -> None:
    """Topics and subscriptions of one project are listed in pages, each once, and no other project's."""
    project = "projects/paged"
    topics = [f"{project}/topics/topic-{number}" for number in range(7)]
    subscriptions = [f"{project}/subscriptions/sub-{number}" for number in range(7)]
    for topic, subscription in zip(topics, subscriptions, strict=True):
        pubsub.publisher.create_topic(name=topic)
        pubsub.subscriber.create_subscription(name=subscription, topic=topic)
    listed = pubsub.publisher.list_topics(request={"project": project, "page_size": 3})
    assert [len(page.topics) for page in listed.pages] == [3, 3, 1]
    assert [topic.name for topic in pubsub.publisher.list_topics(project=project)] == topics
    found = pubsub.subscriber.list_subscriptions(request={"project": project, "page_size": 2})
    assert [subscription.name for subscription in found] == subscriptions


def test_subscriptions_of_a_topic(pubsub: PubSubServer) -> None:
    """A topic names its subscriptions."""
    topic = pubsub.topic()
    names = sorted(pubsub.subscription(topic) for _ in range(3))
    assert list(pubsub.publisher.list_topic_subscriptions(topic=topic)) == names


def test_defaults_of_a_subscription(pubsub: PubSubServer) -> None:
    """What is not said is filled in as the real service does it."""
    subscription = pubsub.subscriber.get_subscription(subscription=pubsub.subscription(pubsub.topic()))
    assert subscription.ack_deadline_seconds == 10
    assert subscription.message_retention_duration.total_seconds() == 7 * DAY
    assert subscription.expiration_policy.ttl.total_seconds() == 31 * DAY


@pytest.mark.parametrize(
    "settings",
    [
        {"ack_deadline_seconds": 9},
        {"ack_deadline_seconds": 601},
        {"message_retention_duration": Duration(seconds=599)},
        {"message_retention_duration": Duration(seconds=32 * DAY)},
        {"expiration_policy": {"ttl": Duration(seconds=3600)}},
        {"retry_policy": {"maximum_backoff": Duration(seconds=601)}},
        {"retry_policy": {"minimum_backoff": Duration(seconds=60), "maximum_backoff": Duration(seconds=30)}},
        {"dead_letter_policy": {"dead_letter_topic": f"{PROJECT}/topics/dead", "max_delivery_attempts": 4}},
        {"dead_letter_policy": {"dead_letter_topic": f"{PROJECT}/topics/dead", "max_delivery_attempts": 101}},
    ],
    ids=str,
)
def test_settings_out_of_bounds(pubsub: PubSubServer, settings: dict[str, object]) -> None:
    """Settings outside of the documented bounds are refused."""
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.subscription(pubsub.topic(), **settings)


def test_update_changes_what_the_mask_names(pubsub: PubSubServer) -> None:
    """An update takes the fields of its mask and leaves the others."""
    name = pubsub.subscription(pubsub.topic(), ack_deadline_seconds=30, labels={"a": "1", "b": "2"})
    pubsub.subscriber.update_subscription(
        subscription={"name": name, "ack_deadline_seconds": 60, "labels": {"c": "3"}},
        update_mask=FieldMask(paths=["labels"]),
    )
    changed = pubsub.subscriber.get_subscription(subscription=name)
    assert changed.labels == {"c": "3"}
    assert changed.ack_deadline_seconds == 30


def test_update_clears_a_policy(pubsub: PubSubServer) -> None:
    """A field that the mask names and the update leaves out is cleared."""
    name = pubsub.subscription(pubsub.topic(), retry_policy={"minimum_backoff": Duration(seconds=10)})
    pubsub.subscriber.update_subscription(
        subscription={"name": name, "ack_deadline_seconds": 20},
        update_mask=FieldMask(paths=["retry_policy", "ack_deadline_seconds"]),
    )
    changed = pubsub.subscriber.get_subscription(subscription=name)
    assert "retry_policy" not in changed
    assert changed.ack_deadline_seconds == 20


@pytest.mark.parametrize("path", ["topic", "filter", "enable_message_ordering", "nonsense", ""])
def test_update_of_what_is_fixed(pubsub: PubSubServer, path: str) -> None:
    """What cannot change, and an empty mask, are refused."""
    name = pubsub.subscription(pubsub.topic())
    with pytest.raises(exceptions.InvalidArgument):
        pubsub.subscriber.update_subscription(
            subscription={"name": name}, update_mask=FieldMask(paths=[path] if path else [])
        )


def test_topic_update(pubsub: PubSubServer) -> None:
    """A topic's labels and retention change, and survive in what it answers."""
    topic = pubsub.topic()
    pubsub.publisher.update_topic(
        topic={"name": topic, "labels": {"x": "y"}, "message_retention_duration": Duration(seconds=DAY)},
        update_mask=FieldMask(paths=["labels", "message_retention_duration"]),
    )
    changed = pubsub.publisher.get_topic(topic=topic)
    assert changed.labels == {"x": "y"}
    assert changed.message_retention_duration.total_seconds() == DAY


def test_deleted_topic_leaves_its_backlog(pubsub: PubSubServer) -> None:
    """A subscription outlives its topic and still delivers what it had."""
    topic = pubsub.topic()
    name = pubsub.subscription(topic)
    pubsub.publish(topic, b"last words")
    pubsub.publisher.delete_topic(topic=topic)
    assert pubsub.subscriber.get_subscription(subscription=name).topic == "_deleted-topic_"
    assert payloads(pubsub.pull(name, 1)) == [b"last words"]


def test_deleted_subscription_ends_its_streams(pubsub: PubSubServer) -> None:
    """Who streams from a subscription hears that it was deleted."""
    name = pubsub.subscription(pubsub.topic())
    stream = RawStream(pubsub, name)
    pubsub.subscriber.delete_subscription(subscription=name)
    assert stream.ended().name == "NOT_FOUND"
    with pytest.raises(exceptions.NotFound):
        pubsub.subscriber.get_subscription(subscription=name)


def test_new_subscription_of_an_old_name_is_empty(pubsub: PubSubServer) -> None:
    """A subscription made anew does not see what was published before."""
    topic = pubsub.topic()
    name = pubsub.subscription(topic)
    pubsub.publish(topic, b"old")
    pubsub.subscriber.delete_subscription(subscription=name)
    pubsub.subscriber.create_subscription(name=name, topic=topic)
    assert pubsub.empty(name)


def test_detached_subscription(pubsub: PubSubServer) -> None:
    """A detached subscription says so, keeps nothing and cannot be pulled."""
    topic = pubsub.topic()
    name = pubsub.subscription(topic)
    pubsub.publish(topic, b"x")
    pubsub.publisher.detach_subscription(request={"subscription": name})
    assert pubsub.subscriber.get_subscription(subscription=name).detached
    assert list(pubsub.publisher.list_topic_subscriptions(topic=topic)) == []
    with pytest.raises(exceptions.FailedPrecondition):
        pubsub.subscriber.pull(subscription=name, max_messages=1)


@pytest.mark.parametrize(
    "settings", [{"push_config": {"push_endpoint": "https://example.com/"}}, {"bigquery_config": {"table": "a.b.c"}}]
)
def test_missing_features_are_refused(pubsub: PubSubServer, settings: dict[str, object]) -> None:
    """What this server lacks it refuses, rather than accept and ignore it."""
    with pytest.raises(exceptions.MethodNotImplemented):
        pubsub.subscription(pubsub.topic(), **settings)


def test_idle_subscription_expires(new_server: Callable[..., PubSubServer]) -> None:
    """A subscription that nobody uses is deleted after its ttl; one without a ttl never."""
    server = new_server("--test-clock")
    topic = server.topic()
    idle = server.subscription(topic, expiration_policy={"ttl": Duration(seconds=2 * DAY)})
    forever = server.subscription(topic, expiration_policy={})
    server.advance(400 * DAY)
    with pytest.raises(exceptions.NotFound):
        server.subscriber.get_subscription(subscription=idle)
    assert server.subscriber.get_subscription(subscription=forever).name == forever


def test_used_subscription_does_not_expire(new_server: Callable[..., PubSubServer]) -> None:
    """An open stream keeps a subscription alive."""
    server = new_server("--test-clock")
    name = server.subscription(server.topic(), expiration_policy={"ttl": Duration(seconds=DAY)})
    stream = RawStream(server, name)
    server.advance(3 * DAY)
    assert server.subscriber.get_subscription(subscription=name).name == name
    stream.close()


def test_clients_see_a_restart_as_a_pause(new_server: Callable[..., PubSubServer]) -> None:
    """After SIGTERM the server leaves with status 0, and a stream ends in the way that makes clients reconnect."""
    server = new_server()
    stream = RawStream(server, server.subscription(server.topic()))
    assert server.stop() == 0
    assert stream.ended().name == "UNAVAILABLE"
    until(lambda: stream.error, "the error arrives")
