"""Notifications through the local Pub/Sub server, fetched with the real Pub/Sub client."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import storage
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from tests.conformance.gcs_server import DEADLINE_SECONDS, PROJECT, GcsServer, free_port, until

pytest_plugins = ["tests.conformance.gcs_fixtures"]

TOPIC = f"projects/{PROJECT}/topics/events"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/events"


class PubSub:
    """A Pub/Sub server that may be killed and started again, with one subscription to what Cloud Storage says."""

    def __init__(self, directory: Path) -> None:
        self.host = f"127.0.0.1:{free_port()}"
        self.arguments = ["--port", self.host.split(":")[1], "--data-dir", str(directory)]
        self.received: list[dict[str, Any]] = []

    def start(self) -> None:
        command = [sys.executable, "-m", "spotmill", "local", "pubsub", *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        channel = grpc.insecure_channel(self.host)
        grpc.channel_ready_future(channel).result(DEADLINE_SECONDS)
        self.subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        self.publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))

    def set_up(self) -> None:
        self.publisher.create_topic(name=TOPIC)
        self.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    def pull(self) -> None:
        """Fetch what is there, in the order it is handed out."""
        request = {"subscription": SUBSCRIPTION, "max_messages": 100, "return_immediately": True}
        try:
            messages = self.subscriber.pull(request=request, timeout=DEADLINE_SECONDS).received_messages
        except exceptions.ServiceUnavailable:
            return
        for each in messages:
            payload = json.loads(each.message.data) if each.message.data else None
            self.received.append({**each.message.attributes, "payload": payload})
        if messages:
            self.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[each.ack_id for each in messages])

    def events(self, count: int) -> list[dict[str, Any]]:
        """The first ``count`` events, by the time they happened; more than that is a failure."""

        def enough() -> bool:
            self.pull()
            return len(self.received) >= count

        until(enough, f"{count} events arrive")
        assert len(self.received) == count
        found, self.received = self.received, []
        return sorted(found, key=lambda event: str(event["eventTime"]))


@pytest.fixture
def pubsub(tmp_path: Path) -> Iterator[PubSub]:
    server = PubSub(tmp_path / "pubsub")
    server.start()
    server.set_up()
    yield server
    server.kill()


@pytest.fixture
def told_gcs(tmp_path: Path, pubsub: PubSub) -> Iterator[GcsServer]:
    with GcsServer(tmp_path, "--pubsub-host", pubsub.host) as server:
        yield server


def watched(gcs: GcsServer, *, versions: bool = False, **options: Any) -> storage.Bucket:
    bucket = gcs.bucket(versioning_enabled=versions)
    bucket.notification("events", topic_project=PROJECT, **{"payload_format": "JSON_API_V1", **options}).create()
    return bucket


def test_a_finalized_object_is_announced_with_its_resource(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """All documented attributes, and as payload what the JSON API shows."""
    bucket = watched(told_gcs, custom_attributes={"stage": "test"})
    blob = bucket.blob("in/ü.png")
    blob.metadata = {"owner": "ann"}
    blob.upload_from_string(b"pixels", content_type="image/png")

    [event] = pubsub.events(1)
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


def test_every_way_to_make_an_object_announces_it(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """Multipart, resumable, signed PUT, XML session, copy, rewrite and composition."""
    bucket = watched(told_gcs)
    bucket.blob("1-multipart").upload_from_string(b"x")
    told_gcs.call("PUT", told_gcs.json_session(bucket, "name=2-resumable"), b"x")
    told_gcs.call("PUT", told_gcs.sign(bucket.blob("3-put"), "PUT"), b"x")
    told_gcs.call("PUT", told_gcs.session(bucket.blob("4-session")), b"x")
    bucket.copy_blob(bucket.blob("1-multipart"), bucket, "5-copy")
    bucket.blob("6-rewrite").rewrite(bucket.blob("1-multipart"))
    bucket.blob("7-compose").compose([bucket.blob("1-multipart")])

    events = pubsub.events(7)
    assert {event["eventType"] for event in events} == {"OBJECT_FINALIZE"}
    assert [event["objectId"][0] for event in events] == list("1234567")


def test_an_overwrite_tells_of_both_generations(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """The old one is deleted, overwritten by the new one, which overwrote it."""
    bucket = watched(told_gcs)
    first, second = bucket.blob("x"), bucket.blob("x")
    first.upload_from_string(b"1")
    second.upload_from_string(b"2")
    second.delete()

    made, deleted, replaced, gone = pubsub.events(4)
    assert (made["eventType"], "overwroteGeneration" in made) == ("OBJECT_FINALIZE", False)
    assert (deleted["eventType"], deleted["objectGeneration"]) == ("OBJECT_DELETE", str(first.generation))
    assert deleted["overwrittenByGeneration"] == str(second.generation)
    assert (replaced["eventType"], replaced["overwroteGeneration"]) == ("OBJECT_FINALIZE", str(first.generation))
    assert (gone["eventType"], "overwrittenByGeneration" in gone) == ("OBJECT_DELETE", False)
    assert gone["payload"]["timeDeleted"]


def test_versions_are_archived_and_then_deleted(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """In a bucket that keeps them."""
    bucket = watched(told_gcs, versions=True)
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    bucket.blob("x").delete()
    bucket.blob("x", generation=blob.generation).delete()

    events = [event["eventType"] for event in pubsub.events(3)]
    assert events == ["OBJECT_FINALIZE", "OBJECT_ARCHIVE", "OBJECT_DELETE"]


def test_changed_metadata_is_announced(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """With the new metageneration."""
    bucket = watched(told_gcs, event_types=["OBJECT_METADATA_UPDATE"])
    blob = bucket.blob("x")
    blob.upload_from_string(b"1")
    blob.metadata = {"a": "b"}
    blob.patch()

    [event] = pubsub.events(1)
    assert (event["eventType"], event["payload"]["metageneration"]) == ("OBJECT_METADATA_UPDATE", "2")


def test_only_what_is_configured_is_announced(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """Event types, prefix, and no payload."""
    bucket = watched(told_gcs, event_types=["OBJECT_FINALIZE"], blob_name_prefix="in/", payload_format="NONE")
    for name in ("out/x", "in/y"):
        bucket.blob(name).upload_from_string(b"1")
        bucket.blob(name).delete()
    bucket.blob("in/z").upload_from_string(b"1")

    events = pubsub.events(2)
    assert [(event["objectId"], event["payload"], event["payloadFormat"]) for event in events] == [
        ("in/y", None, "NONE"),
        ("in/z", None, "NONE"),
    ]


def test_what_fails_is_not_announced(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """A refused precondition or checksum makes no event."""
    bucket = watched(told_gcs)
    bucket.blob("x").upload_from_string(b"1")
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").upload_from_string(b"2", if_generation_match=0)
    told_gcs.call("PUT", told_gcs.sign(bucket.blob("y"), "PUT", headers={"Content-MD5": "A" * 22 + "=="}), b"1")
    bucket.blob("z").upload_from_string(b"1")

    assert [event["objectId"] for event in pubsub.events(2)] == ["x", "z"]


def test_pubsub_may_be_away(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """Events wait for it, uploads do not."""
    bucket = watched(told_gcs)
    pubsub.kill()
    for number in range(20):
        bucket.blob(f"{number:02}").upload_from_string(b"1")
    pubsub.start()

    assert [event["objectId"] for event in pubsub.events(20)] == [f"{number:02}" for number in range(20)]


def test_no_event_is_lost_when_the_server_is_killed(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """Whatever was answered with success is announced, although neither server was there to do it."""
    bucket = watched(told_gcs)
    pubsub.kill()
    for number in range(20):
        bucket.blob(f"{number:02}").upload_from_string(b"1")
    told_gcs.kill()
    pubsub.start()
    told_gcs.start()

    assert [event["objectId"] for event in pubsub.events(20)] == [f"{number:02}" for number in range(20)]


def test_a_missing_topic_holds_up_nobody_else(told_gcs: GcsServer, pubsub: PubSub) -> None:
    """Events for one topic are tried again while those for another are published."""
    bucket = watched(told_gcs)
    bucket.notification("missing", topic_project=PROJECT).create()
    bucket.blob("x").upload_from_string(b"1")

    assert [event["objectId"] for event in pubsub.events(1)] == ["x"]
