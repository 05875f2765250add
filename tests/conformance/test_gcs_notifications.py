"""Notifications through the local Pub/Sub server, fetched with the real Pub/Sub client."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import storage
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from tests.conformance.gcs_server import DEADLINE_SECONDS, PROJECT, GcsServer, free_port, until

pytest_plugins = ["tests.conformance.gcs_fixtures"]


class PubSub:
    """A Pub/Sub server that may be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self.arguments = ["--port", self.host.split(":")[1], "--data-dir", str(directory)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        command = [sys.executable, "-m", "spotmill", "local", "pubsub", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.channel = grpc.insecure_channel(self.host)
        grpc.channel_ready_future(self.channel).result(DEADLINE_SECONDS)

    def kill(self) -> None:
        self.channel.close()
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)


class Feed:
    """A watched Cloud Storage server, and a topic of its own that its notifications go to."""

    def __init__(self, gcs: GcsServer, pubsub: PubSub) -> None:
        self.gcs = gcs
        self.pubsub = pubsub
        self.topic = f"events-{uuid.uuid4().hex[:8]}"
        self.subscription = f"projects/{PROJECT}/subscriptions/{self.topic}"
        self.received: list[dict[str, Any]] = []
        topic = f"projects/{PROJECT}/topics/{self.topic}"
        PublisherClient(transport=PublisherGrpcTransport(channel=pubsub.channel)).create_topic(name=topic)
        self.subscriber().create_subscription(name=self.subscription, topic=topic)

    def subscriber(self) -> SubscriberClient:
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=self.pubsub.channel))

    def bucket(self, *, versions: bool = False, **options: Any) -> storage.Bucket:
        """A new bucket whose events go to the topic."""
        bucket = self.gcs.bucket(versioning_enabled=versions)
        options = {"payload_format": "JSON_API_V1", **options}
        bucket.notification(self.topic, topic_project=PROJECT, **options).create()
        return bucket

    def pull(self) -> None:
        request = {"subscription": self.subscription, "max_messages": 100, "return_immediately": True}
        messages = self.subscriber().pull(request=request, timeout=DEADLINE_SECONDS).received_messages
        for each in messages:
            payload = json.loads(each.message.data) if each.message.data else None
            self.received.append({**each.message.attributes, "payload": payload})
        if messages:
            ack_ids = [each.ack_id for each in messages]
            self.subscriber().acknowledge(subscription=self.subscription, ack_ids=ack_ids)

    def events(self, count: int) -> list[dict[str, Any]]:
        """All events there are, by the time they happened; as many as ``count``, or it fails."""

        def enough() -> bool:
            self.pull()
            return len(self.received) >= count

        until(enough, f"{count} events arrive")
        assert len(self.received) == count
        return sorted(self.received, key=lambda event: str(event["eventTime"]))


@pytest.fixture(scope="module")
def pubsub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSub]:
    with PubSub(tmp_path_factory.mktemp("pubsub")) as server:
        yield server


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, pubsub: PubSub) -> Iterator[GcsServer]:
    with GcsServer(tmp_path_factory.mktemp("gcs"), "--pubsub-host", pubsub.host) as server:
        yield server


@pytest.fixture
def feed(watched: GcsServer, pubsub: PubSub) -> Feed:
    return Feed(watched, pubsub)


@pytest.fixture
def own_feed(tmp_path: Path) -> Iterator[Feed]:
    """Two servers for one test alone, which may kill them."""
    with PubSub(tmp_path / "pubsub") as server, GcsServer(tmp_path, "--pubsub-host", server.host) as gcs:
        yield Feed(gcs, server)


def test_a_finalized_object_is_announced_with_its_resource(feed: Feed) -> None:
    """All documented attributes, and as payload what the JSON API shows."""
    bucket = feed.bucket(custom_attributes={"stage": "test"})
    blob = bucket.blob("in/ü.png")
    blob.metadata = {"owner": "ann"}
    blob.upload_from_string(b"pixels", content_type="image/png")

    [event] = feed.events(1)
    payload = event.pop("payload")
    assert event.pop("eventTime").endswith("Z")
    assert event == {
        "notificationConfig": f"projects/_/buckets/{bucket.name}/notificationConfigs/1",
        "eventType": "OBJECT_FINALIZE",
        "payloadFormat": "JSON_API_V1",
        "bucketId": bucket.name,
        "objectId": "in/ü.png",
        "objectGeneration": str(blob.generation),
        "stage": "test",
    }
    assert (payload["kind"], payload["name"], payload["size"]) == ("storage#object", "in/ü.png", "6")
    assert (payload["generation"], payload["metageneration"]) == (str(blob.generation), "1")
    assert (payload["contentType"], payload["metadata"]) == ("image/png", {"owner": "ann"})
    assert (payload["md5Hash"], payload["crc32c"]) == (blob.md5_hash, blob.crc32c)


def test_every_way_to_make_an_object_announces_it(feed: Feed) -> None:
    """Multipart, resumable, signed PUT, XML session, copy, rewrite and composition."""
    bucket = feed.bucket()
    bucket.blob("1-multipart").upload_from_string(b"x")
    feed.gcs.call("PUT", feed.gcs.json_session(bucket, "name=2-resumable"), b"x")
    feed.gcs.call("PUT", feed.gcs.sign(bucket.blob("3-put"), "PUT"), b"x")
    feed.gcs.call("PUT", feed.gcs.session(bucket.blob("4-session")), b"x")
    bucket.copy_blob(bucket.blob("1-multipart"), bucket, "5-copy")
    bucket.blob("6-rewrite").rewrite(bucket.blob("1-multipart"))
    bucket.blob("7-compose").compose([bucket.blob("1-multipart")])

    events = feed.events(7)
    assert {event["eventType"] for event in events} == {"OBJECT_FINALIZE"}
    assert [event["objectId"][0] for event in events] == list("1234567")


def test_an_overwrite_tells_of_both_generations(feed: Feed) -> None:
    """The old one is deleted, overwritten by the new one, which overwrote it."""
    bucket = feed.bucket()
    first, second = bucket.blob("x"), bucket.blob("x")
    first.upload_from_string(b"1")
    second.upload_from_string(b"2")
    second.delete()

    made, deleted, replaced, gone = feed.events(4)
    assert (made["eventType"], "overwroteGeneration" in made) == ("OBJECT_FINALIZE", False)
    assert (deleted["eventType"], deleted["objectGeneration"]) == ("OBJECT_DELETE", str(first.generation))
    assert deleted["overwrittenByGeneration"] == str(second.generation)
    assert (replaced["eventType"], replaced["overwroteGeneration"]) == ("OBJECT_FINALIZE", str(first.generation))
    assert (gone["eventType"], "overwrittenByGeneration" in gone) == ("OBJECT_DELETE", False)
    assert gone["payload"]["timeDeleted"]


def test_versions_are_archived_and_then_deleted(feed: Feed) -> None:
    """In a bucket that keeps them."""
    bucket = feed.bucket(versions=True)
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    bucket.blob("x").delete()
    bucket.blob("x", generation=blob.generation).delete()

    events = [event["eventType"] for event in feed.events(3)]
    assert events == ["OBJECT_FINALIZE", "OBJECT_ARCHIVE", "OBJECT_DELETE"]


def test_changed_metadata_is_announced(feed: Feed) -> None:
    """With the new metageneration."""
    bucket = feed.bucket(event_types=["OBJECT_METADATA_UPDATE"])
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    blob.metadata = {"a": "b"}
    blob.patch()

    [event] = feed.events(1)
    assert (event["eventType"], event["payload"]["metageneration"]) == ("OBJECT_METADATA_UPDATE", "2")


def test_only_what_is_configured_is_announced(feed: Feed) -> None:
    """Event types, prefix, and no payload."""
    bucket = feed.bucket(event_types=["OBJECT_FINALIZE"], blob_name_prefix="in/", payload_format="NONE")
    for name in ("out/x", "in/y"):
        bucket.blob(name).upload_from_string(b"1")
        bucket.blob(name).delete()
    bucket.blob("in/z").upload_from_string(b"1")

    events = feed.events(2)
    assert [(event["objectId"], event["payload"], event["payloadFormat"]) for event in events] == [
        ("in/y", None, "NONE"),
        ("in/z", None, "NONE"),
    ]


def test_what_fails_is_not_announced(feed: Feed) -> None:
    """A refused precondition or checksum makes no event."""
    bucket = feed.bucket()
    bucket.blob("x").upload_from_string(b"1")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string(b"2", if_generation_match=0)
    feed.gcs.call("PUT", feed.gcs.sign(bucket.blob("y"), "PUT", headers={"Content-MD5": "A" * 22 + "=="}), b"1")
    bucket.blob("z").upload_from_string(b"1")

    assert [event["objectId"] for event in feed.events(2)] == ["x", "z"]


def test_pubsub_may_be_away(own_feed: Feed) -> None:
    """Events wait for it, uploads do not."""
    bucket = own_feed.bucket()
    own_feed.pubsub.kill()
    for number in range(20):
        bucket.blob(f"{number:02}").upload_from_string(b"1")
    own_feed.pubsub.start()

    assert [event["objectId"] for event in own_feed.events(20)] == [f"{number:02}" for number in range(20)]


def test_no_event_is_lost_when_the_server_is_killed(own_feed: Feed) -> None:
    """Whatever was answered with success is announced, although neither server was there to do it."""
    bucket = own_feed.bucket()
    own_feed.pubsub.kill()
    for number in range(20):
        bucket.blob(f"{number:02}").upload_from_string(b"1")
    own_feed.gcs.kill()
    own_feed.pubsub.start()
    own_feed.gcs.start()

    assert [event["objectId"] for event in own_feed.events(20)] == [f"{number:02}" for number in range(20)]


def test_a_missing_topic_holds_up_nobody_else(feed: Feed) -> None:
    """Events for one topic are tried again while those for another are published."""
    bucket = feed.bucket()
    bucket.notification("missing", topic_project=PROJECT).create()
    bucket.blob("x").upload_from_string(b"1")

    assert [event["objectId"] for event in feed.events(1)] == ["x"]
