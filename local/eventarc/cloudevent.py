"""Turns a Pub/Sub message into the HTTP request that Eventarc would make of it."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from eventarc.triggers import StorageTrigger, TopicTrigger, Trigger


@dataclass(frozen=True, slots=True)
class Message:
    """What a subscription delivers."""

    id: str
    published_at: datetime
    data: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    ordering_key: str = ""
    delivery_attempt: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A CloudEvent in binary content mode."""

    headers: dict[str, str]
    body: bytes


class UnknownEventError(Exception):
    """A message on a transport topic is not the notification that the trigger asked for."""


def as_request(trigger: Trigger, message: Message, project: str, subscription: str) -> Request:
    """Say what Eventarc posts for this message (https://cloud.google.com/eventarc/docs/cloudevents).

    Raises:
        UnknownEventError: the message is not what this trigger is about; a retry would not change that.
    """
    if isinstance(trigger, StorageTrigger):
        return _storage_event(trigger, message)
    return _topic_event(trigger, message, project, subscription)


def _storage_event(trigger: StorageTrigger, message: Message) -> Request:
    said = message.attributes
    if said.get("eventType") != trigger.notification_event or said.get("bucketId") != trigger.filters.bucket:
        raise UnknownEventError(f"{said.get('eventType')} of bucket {said.get('bucketId')}")
    headers = _headers(
        trigger,
        message.id,
        source=f"//storage.googleapis.com/projects/_/buckets/{trigger.filters.bucket}",
        time=said.get("eventTime") or _rfc3339(message.published_at),
    )
    # Header values hold printable ASCII only; CloudEvents' HTTP binding (3.1.3.2) says how the rest is written.
    headers["ce-subject"] = f"objects/{quote(said.get('objectId', ''), safe=_UNQUOTED)}"
    headers["ce-bucket"] = trigger.filters.bucket
    return Request(headers, message.data)


def _topic_event(trigger: TopicTrigger, message: Message, project: str, subscription: str) -> Request:
    time = _rfc3339(message.published_at)
    # The body of a Pub/Sub push, which says two of its names twice
    # (https://cloud.google.com/pubsub/docs/push#receive_push).
    wrapped: dict[str, Any] = {
        "data": base64.b64encode(message.data).decode("ascii"),
        "messageId": message.id,
        "message_id": message.id,
        "publishTime": time,
        "publish_time": time,
    }
    if message.attributes:
        wrapped["attributes"] = dict(message.attributes)
    if message.ordering_key:
        wrapped["orderingKey"] = message.ordering_key
    body: dict[str, Any] = {"message": wrapped, "subscription": f"projects/{project}/subscriptions/{subscription}"}
    if message.delivery_attempt is not None:
        body["deliveryAttempt"] = message.delivery_attempt
    source = f"//pubsub.googleapis.com/projects/{project}/topics/{trigger.topic}"
    return Request(_headers(trigger, message.id, source, time), json.dumps(body).encode())


_UNQUOTED = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')


def _headers(trigger: Trigger, event_id: str, source: str, time: str) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-type": trigger.event_type,
        "ce-source": source,
        "ce-time": time,
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
