"""What the router makes of a message is, to the last attribute, what Eventarc sends."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cloudevents.http import from_http

from eventarc.contract import SampleEvent, read_sample, sample_names
from eventarc.triggers import StorageTrigger, TopicTrigger, Trigger, read_triggers
from local.eventarc.cloudevent import Message, UnknownEventError, as_request

PROJECT = "example-project"
TRIGGERS = read_triggers(
    {
        "upload_bucket": "example-uploads",
        "ingest_topic": "spotmill-ingest",
        "tick_topic": "spotmill-tick",
        "budget_topic": "spotmill-budget",
        "dead_letter_topic": "spotmill-jobs-dead",
    }
)


def trigger_of(sample: SampleEvent) -> Trigger:
    """Find the trigger that a sample came through."""
    for trigger in TRIGGERS:
        topic = isinstance(trigger, TopicTrigger) and sample.headers["ce-source"].endswith(f"/{trigger.topic}")
        if trigger.event_type == sample.headers["ce-type"] and (topic or isinstance(trigger, StorageTrigger)):
            return trigger
    raise AssertionError(f"no trigger for {sample.headers}")


def message_of(sample: SampleEvent) -> Message:
    """Undo what Eventarc did to the Pub/Sub message that a sample was made of."""
    if "message" in sample.body:
        wrapped = sample.body["message"]
        published = datetime.fromisoformat(wrapped["publishTime"])
        data = base64.b64decode(wrapped["data"])
        return Message(wrapped["messageId"], published, data, wrapped.get("attributes", {}))
    kind = {"finalized": "OBJECT_FINALIZE", "deleted": "OBJECT_DELETE"}[sample.headers["ce-type"].rsplit(".", 1)[-1]]
    attributes = {
        "bucketId": sample.body["bucket"],
        "eventTime": sample.headers["ce-time"],
        "eventType": kind,
        "objectGeneration": sample.body["generation"],
        "objectId": sample.body["name"],
        "payloadFormat": "JSON_API_V1",
    }
    return Message(sample.headers["ce-id"], datetime.now(UTC), json.dumps(sample.body).encode(), attributes)


@pytest.mark.parametrize("name", sample_names())
def test_a_message_becomes_the_event_that_google_sends(name: str) -> None:
    """Headers and body of each sample come out exactly."""
    sample = read_sample(name)
    subscription = sample.body.get("subscription", "").rsplit("/", 1)[-1]
    request = as_request(trigger_of(sample), message_of(sample), PROJECT, subscription)
    assert (request.headers, json.loads(request.body)) == (sample.headers, sample.body)


@pytest.mark.parametrize("name", sample_names())
def test_the_cloudevents_library_reads_it(name: str) -> None:
    """The library that the dispatcher is built on takes the request for a CloudEvent."""
    sample = read_sample(name)
    request = as_request(trigger_of(sample), message_of(sample), PROJECT, "sub")
    event = from_http(request.headers, request.body)
    assert event["type"] == sample.headers["ce-type"]
    assert event["source"] == sample.headers["ce-source"]
    assert event.get_data() == json.loads(request.body)


@pytest.mark.parametrize("object_id", ["Straße/übung 1.wav", 'a"b%c', "line\nbreak\r.jpg", "写真.jpg"])
def test_any_object_name_fits_into_a_header(object_id: str) -> None:
    """A name that no header can hold is percent-encoded, and cannot add headers of its own."""
    message = message_of(read_sample("storage-finalized"))
    message = replace(message, attributes=dict(message.attributes) | {"objectId": object_id})
    subject = as_request(trigger_of(read_sample("storage-finalized")), message, PROJECT, "sub").headers["ce-subject"]
    assert subject.isascii()
    assert subject.isprintable()
    assert " " not in subject


@pytest.mark.parametrize(
    "change", [{"eventType": "OBJECT_METADATA_UPDATE"}, {"bucketId": "another"}, {"eventType": ""}]
)
def test_what_the_trigger_did_not_ask_for_is_no_event(change: dict[str, str]) -> None:
    """A stray message on a transport topic is never posted as something it is not."""
    message = message_of(read_sample("storage-finalized"))
    message = replace(message, attributes=dict(message.attributes) | change)
    with pytest.raises(UnknownEventError):
        as_request(trigger_of(read_sample("storage-finalized")), message, PROJECT, "sub")


def test_an_ordering_key_and_the_delivery_attempt_are_passed_on() -> None:
    """What Pub/Sub's push says besides, the event says too."""
    message = Message("1", datetime(2026, 1, 1, tzinfo=UTC), b"x", ordering_key="k", delivery_attempt=3)
    body = json.loads(as_request(trigger_of(read_sample("pubsub-tick")), message, PROJECT, "sub").body)
    assert body["message"]["orderingKey"] == "k"
    assert body["deliveryAttempt"] == 3
