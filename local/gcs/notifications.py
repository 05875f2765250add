"""Pub/Sub notifications: their configurations, and recording the events they ask for.

An event is a row of the outbox, written in the transaction that caused it; ``outbox.py`` publishes it.
https://cloud.google.com/storage/docs/pubsub-notifications
"""

import json
import re
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from local.gcs.buckets import require_bucket
from local.gcs.database import Transaction
from local.gcs.errors import StorageError, invalid
from local.gcs.resource import etag, object_resource
from local.gcs.stored import StoredObject

#: Links in payloads name the real service, as the payloads it sends do.
PAYLOAD_BASE_URL = "https://www.googleapis.com"
_TOPIC = re.compile(r"(?://pubsub\.googleapis\.com/)?(projects/[^/]+/topics/[^/]+)")


class EventType(StrEnum):
    """What can happen to an object."""

    #: A new generation is there: uploaded, copied, rewritten or composed.
    FINALIZE = "OBJECT_FINALIZE"
    #: A generation is gone for good, also because it was overwritten in a bucket without versions.
    DELETE = "OBJECT_DELETE"
    #: The live generation became a noncurrent one.
    ARCHIVE = "OBJECT_ARCHIVE"
    #: Metadata of a generation changed.
    METADATA_UPDATE = "OBJECT_METADATA_UPDATE"


def record_event(
    transaction: Transaction, event: EventType, stored: StoredObject, attributes: Mapping[str, str] | None = None
) -> None:
    """Put the event into the outbox for every configuration of the bucket that wants it."""
    if not transaction.keep_events:
        return
    rows = transaction.execute("SELECT id, properties FROM notifications WHERE bucket = ?", (stored.bucket,)).fetchall()
    for identifier, text in rows:
        config = json.loads(text)
        wanted = config.get("event_types")
        if (wanted and event not in wanted) or not stored.name.startswith(config.get("object_name_prefix") or ""):
            continue
        payload_format = config.get("payload_format", "JSON_API_V1")
        data = json.dumps(object_resource(stored, PAYLOAD_BASE_URL)).encode() if payload_format != "NONE" else b""
        moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        described = {
            **(config.get("custom_attributes") or {}),
            "notificationConfig": f"projects/_/buckets/{stored.bucket}/notificationConfigs/{identifier}",
            "eventType": event.value,
            "payloadFormat": payload_format,
            "bucketId": stored.bucket,
            "objectId": stored.name,
            "objectGeneration": str(stored.generation),
            "eventTime": moment,
            **(attributes or {}),
        }
        transaction.execute(
            "INSERT INTO outbox (topic, data, attributes) VALUES (?, ?, ?)",
            (_topic_name(config["topic"]), data, json.dumps(described)),
        )
        transaction.events += 1


def create_notification(transaction: Transaction, bucket: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Add a configuration.

    Raises:
        StorageError: no such bucket (404), or the topic is not one (400).
    """
    require_bucket(transaction, bucket)
    if not _TOPIC.fullmatch(str(config.get("topic", ""))):
        raise invalid(f"Invalid Google Cloud Pub/Sub topic: '{config.get('topic')}'")
    unknown = set(config.get("event_types") or ()).difference(EventType)
    if unknown:
        raise invalid(f"Invalid event type: {min(unknown)}")
    if config.get("payload_format", "JSON_API_V1") not in {"JSON_API_V1", "NONE"}:
        raise invalid(f"Invalid payload format: {config['payload_format']}")
    last = transaction.execute("SELECT max(id) FROM notifications WHERE bucket = ?", (bucket,)).fetchone()[0] or 0
    keys = ("event_types", "object_name_prefix", "custom_attributes", "payload_format")
    kept = {key: config[key] for key in keys if config.get(key) is not None}
    kept = {"payload_format": "JSON_API_V1", **kept, "topic": f"//pubsub.googleapis.com/{_topic_name(config['topic'])}"}
    transaction.execute("INSERT INTO notifications VALUES (?, ?, ?)", (bucket, last + 1, json.dumps(kept)))
    return notification_resource(bucket, last + 1, kept)


def list_notifications(connection: sqlite3.Connection, bucket: str) -> list[dict[str, Any]]:
    """All configurations of a bucket, as resources.

    Raises:
        StorageError: no such bucket.
    """
    require_bucket(connection, bucket)
    rows = connection.execute("SELECT id, properties FROM notifications WHERE bucket = ? ORDER BY id", (bucket,))
    return [notification_resource(bucket, identifier, json.loads(text)) for identifier, text in rows]


def get_notification(connection: sqlite3.Connection, bucket: str, identifier: str) -> dict[str, Any]:
    """One configuration.

    Raises:
        StorageError: no such bucket or configuration.
    """
    for resource in list_notifications(connection, bucket):
        if resource["id"] == identifier:
            return resource
    raise _no_such_notification(identifier)


def delete_notification(transaction: Transaction, bucket: str, identifier: str) -> None:
    """Remove a configuration; events it already caused are still published.

    Raises:
        StorageError: no such bucket or configuration.
    """
    require_bucket(transaction, bucket)
    gone = transaction.execute("DELETE FROM notifications WHERE bucket = ? AND id = ?", (bucket, identifier)).rowcount
    if not gone:
        raise _no_such_notification(identifier)


def notification_resource(bucket: str, identifier: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """How a configuration looks in the JSON API."""
    return {
        "kind": "storage#notification",
        "id": str(identifier),
        "selfLink": f"{PAYLOAD_BASE_URL}/storage/v1/b/{bucket}/notificationConfigs/{identifier}",
        "etag": etag(identifier, 1),
        **config,
    }


def _topic_name(topic: str) -> str:
    match = _TOPIC.fullmatch(topic)
    return match.group(1) if match else topic


def _no_such_notification(identifier: str) -> StorageError:
    return StorageError(404, "NotFound", "notFound", f"The notification config {identifier} does not exist.")
