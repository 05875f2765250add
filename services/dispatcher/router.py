"""From event type to handler, and from what a handler raises to what Eventarc is told."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from cloudevents.http import CloudEvent

from eventarc.triggers import DELETED, FINALIZED, PUBLISHED
from services.dispatcher.backends import Backends
from services.dispatcher.handlers import budget, dead_letter, deleted, finalized, ingest, tick
from shared.messages import MalformedError, StorageObject

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TopicMessage:
    """A Pub/Sub message out of a ``messagePublished`` event."""

    id: str
    topic: str  #: short name
    data: bytes
    attributes: Mapping[str, str]
    published_at: datetime


def topic_message(event: Mapping[str, Any], body: object) -> TopicMessage:
    """Take the message out of an event (https://cloud.google.com/eventarc/docs/cloudevents#pubsub).

    Raises:
        MalformedError: there is none in it.
    """
    message = body.get("message") if isinstance(body, dict) else None
    if not isinstance(message, dict):
        raise MalformedError("the event carries no Pub/Sub message")
    try:
        data = base64.b64decode(message.get("data") or "", validate=True)
        published_at = datetime.fromisoformat(str(message.get("publishTime") or event["time"]))
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise MalformedError(f"the Pub/Sub message cannot be read: {error}") from None
    attributes = message.get("attributes") or {}
    message_id = str(message.get("messageId") or event["id"])
    return TopicMessage(message_id, str(event["source"]).rsplit("/topics/", 1)[-1], data, attributes, published_at)


class Router:
    """Sends each event to the handler of its type, or of its topic."""

    def __init__(self, backends: Backends) -> None:
        settings = backends.settings
        self._backends = backends
        self._topics = {
            settings.ingest_topic: lambda m: ingest.handle(backends, m.data, m.attributes),
            settings.tick_topic: lambda m: tick.handle(backends, m.data, m.published_at),
            settings.budget_topic: lambda m: budget.handle(backends, m.data, m.published_at),
            settings.dead_letter_topic: lambda m: dead_letter.handle(
                backends, m.id, m.data, m.attributes, m.published_at
            ),
        }

    def handle(self, event: CloudEvent) -> None:
        """Handle one event.

        A malformed one is logged and swallowed, since a retry would not mend it. Anything else that goes wrong is
        raised, so that it is delivered again.
        """
        # What is logged on the way says which event it was about.
        with structlog.contextvars.bound_contextvars(event_id=event["id"]):
            self._handle(event)

    def _handle(self, event: CloudEvent) -> None:
        try:
            self._route(event)
        except MalformedError as error:
            log.warning("event.malformed", type=event["type"], source=event["source"], error=str(error))

    def _route(self, event: CloudEvent) -> None:
        kind, body = event["type"], event.get_data()
        if kind == FINALIZED:
            finalized.handle(self._backends, _storage_object(body))
        elif kind == DELETED:
            deleted.handle(self._backends, _storage_object(body))
        elif kind == PUBLISHED:
            message = topic_message(event.get_attributes(), body)
            if message.topic not in self._topics:
                raise MalformedError(f"no handler for topic {message.topic!r}")
            self._topics[message.topic](message)
        else:
            raise MalformedError(f"no handler for events of type {kind!r}")


def _storage_object(body: object) -> StorageObject:
    if not isinstance(body, dict):
        raise MalformedError("the event carries no object resource")
    return StorageObject.parse(body)
