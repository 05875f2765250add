"""The Pub/Sub topics and subscriptions that carry the events of each trigger."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from google.api_core.exceptions import AlreadyExists
from google.cloud.pubsub_v1 import SubscriberClient
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import PublisherClient

from eventarc.triggers import StorageTrigger, Trigger

RETENTION = timedelta(hours=24)
ACK_DEADLINE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Backoff:
    """Waits between deliveries; Eventarc's own unless told otherwise.

    Source: https://cloud.google.com/eventarc/docs/retry-events
    """

    minimum_seconds: float = 10
    maximum_seconds: float = 600


def transport_topic(trigger: Trigger, region: str) -> str:
    """Name the topic that carries a trigger's events: the trigger's own, or one made for it."""
    return f"eventarc-{region}-{trigger.name}" if isinstance(trigger, StorageTrigger) else trigger.topic


def subscription_name(trigger: Trigger, region: str) -> str:
    """Name the subscription that Eventarc makes for a trigger (without its random number)."""
    return f"eventarc-{region}-{trigger.name}-sub"


def ensure_transport(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    trigger: Trigger,
    *,
    project: str,
    region: str,
    backoff: Backoff,
) -> str:
    """Create what is missing of a trigger's topic and subscription; return the subscription's full name."""
    topic = f"projects/{project}/topics/{transport_topic(trigger, region)}"
    with suppress(AlreadyExists):
        publisher.create_topic(name=topic)
    wanted = {
        "name": f"projects/{project}/subscriptions/{subscription_name(trigger, region)}",
        "topic": topic,
        "ack_deadline_seconds": ACK_DEADLINE_SECONDS,
        "message_retention_duration": _duration(RETENTION.total_seconds()),
        "expiration_policy": {},  # never
        "retry_policy": {
            "minimum_backoff": _duration(backoff.minimum_seconds),
            "maximum_backoff": _duration(backoff.maximum_seconds),
        },
    }
    try:
        subscriber.create_subscription(request=wanted)
    except AlreadyExists:
        found = subscriber.get_subscription(subscription=wanted["name"])
        if found.topic != topic:  # its topic was deleted, or the trigger now names another one
            subscriber.delete_subscription(subscription=found.name)
            subscriber.create_subscription(request=wanted)
        else:
            subscriber.update_subscription(
                request={"subscription": wanted, "update_mask": FieldMask(paths=["retry_policy"])}
            )
    return str(wanted["name"])


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
