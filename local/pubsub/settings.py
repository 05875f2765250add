"""Settings of topics and subscriptions: what is refused, what is filled in, what an update may change.

Bounds are those of https://cloud.google.com/pubsub/docs/subscription-properties.
"""

from collections.abc import Collection
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from local.pubsub import filters, names
from local.pubsub.refusal import invalid, unimplemented

MINUTE = 60
DAY = 24 * 60 * MINUTE

_TOPIC_CHANGES = frozenset({"labels", "message_retention_duration", "message_storage_policy", "tags"})
_SUBSCRIPTION_CHANGES = frozenset(
    {
        "ack_deadline_seconds",
        "dead_letter_policy",
        "enable_exactly_once_delivery",
        "expiration_policy",
        "labels",
        "message_retention_duration",
        "push_config",
        "retain_acked_messages",
        "retry_policy",
        "tags",
    }
)
_MISSING_OF_TOPIC = ("ingestion_data_source_settings", "kms_key_name", "message_transforms", "schema_settings")
_MISSING_OF_SUBSCRIPTION = ("bigquery_config", "bigtable_config", "cloud_storage_config", "message_transforms")


def complete_topic(topic: Any) -> None:
    """Check a new or changed topic.

    Raises:
        RefusedError: a value is out of bounds, or this server lacks a feature it asks for.
    """
    names.check(topic.name, "topics")
    _refuse_missing(topic, _MISSING_OF_TOPIC)
    if topic.HasField("message_retention_duration"):
        _bounded(topic.message_retention_duration, "message_retention_duration", 10 * MINUTE, 31 * DAY)
    topic.state = topic.State.ACTIVE


def complete_subscription(subscription: Any) -> None:
    """Check a new or changed subscription and fill in the defaults of the real service.

    Raises:
        RefusedError: a value is out of bounds, or this server lacks a feature it asks for.
    """
    names.check(subscription.name, "subscriptions")
    _refuse_missing(subscription, _MISSING_OF_SUBSCRIPTION)
    if subscription.push_config.push_endpoint:
        raise unimplemented("push delivery")
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or 10
    check_deadline(subscription.ack_deadline_seconds, minimum=10)
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.FromSeconds(7 * DAY)
    _bounded(subscription.message_retention_duration, "message_retention_duration", 10 * MINUTE, 31 * DAY)
    if not subscription.HasField("expiration_policy"):
        subscription.expiration_policy.ttl.FromSeconds(31 * DAY)
    if subscription.expiration_policy.HasField("ttl"):
        _bounded(subscription.expiration_policy.ttl, "expiration_policy.ttl", DAY, None)
    if subscription.HasField("retry_policy"):
        _complete_retry(subscription.retry_policy)
    if subscription.HasField("dead_letter_policy"):
        _complete_dead_letter(subscription.dead_letter_policy)
    if subscription.filter:
        filters.parse(subscription.filter)
    subscription.state = subscription.State.ACTIVE


def check_deadline(seconds: int, *, minimum: int) -> None:
    """Refuse an ack deadline outside of ``minimum`` to 600 seconds.

    Raises:
        RefusedError: the deadline is out of bounds.
    """
    if not minimum <= seconds <= 600:
        raise invalid(f"Invalid ack deadline given: {seconds}. It must be between {minimum} and 600 seconds.")


def changed_topic(old: Any, request: Any) -> Any:
    """The topic after an UpdateTopicRequest.

    Raises:
        RefusedError: the mask or a value in it is wrong.
    """
    new = _changed(old, request.topic, request.update_mask, _TOPIC_CHANGES)
    complete_topic(new)
    return new


def changed_subscription(old: Any, request: Any) -> Any:
    """The subscription after an UpdateSubscriptionRequest.

    Raises:
        RefusedError: the mask or a value in it is wrong.
    """
    new = _changed(old, request.subscription, request.update_mask, _SUBSCRIPTION_CHANGES)
    complete_subscription(new)
    return new


def changed_snapshot(old: Any, request: Any) -> Any:
    """The snapshot after an UpdateSnapshotRequest.

    Raises:
        RefusedError: the mask is wrong.
    """
    return _changed(old, request.snapshot, request.update_mask, frozenset({"expire_time", "labels"}))


def _changed(old: Any, given: Any, mask: FieldMask, allowed: Collection[str]) -> Any:
    if not mask.paths:
        raise invalid("The update_mask in the request must not be empty.")
    for path in mask.paths:
        if path.partition(".")[0] not in allowed or not FieldMask(paths=[path]).IsValidForDescriptor(old.DESCRIPTOR):
            raise invalid(f"Invalid update_mask provided in the request: {path} cannot be changed.")
    new = type(old)()
    new.CopyFrom(old)
    mask.MergeMessage(given, new, replace_message_field=True, replace_repeated_field=True)
    for path in mask.paths:
        # Merging into the same map keeps keys that the update took away.
        if path in {"labels", "tags"}:
            getattr(new, path).clear()
            getattr(new, path).update(getattr(given, path))
    return new


def _complete_retry(policy: Any) -> None:
    if not policy.HasField("minimum_backoff"):
        policy.minimum_backoff.FromSeconds(10)
    if not policy.HasField("maximum_backoff"):
        policy.maximum_backoff.FromSeconds(600)
    for field in ("minimum_backoff", "maximum_backoff"):
        _bounded(getattr(policy, field), f"retry_policy.{field}", 0, 600)
    if policy.minimum_backoff.ToNanoseconds() > policy.maximum_backoff.ToNanoseconds():
        raise invalid("retry_policy.minimum_backoff is greater than retry_policy.maximum_backoff.")


def _complete_dead_letter(policy: Any) -> None:
    names.check(policy.dead_letter_topic, "topics")
    policy.max_delivery_attempts = policy.max_delivery_attempts or 5
    if not 5 <= policy.max_delivery_attempts <= 100:
        raise invalid("dead_letter_policy.max_delivery_attempts must be between 5 and 100.")


def _bounded(duration: Any, field: str, minimum: int, maximum: int | None) -> None:
    seconds = duration.ToNanoseconds() / 1e9
    if seconds < minimum or (maximum is not None and seconds > maximum):
        bounds = f"at least {minimum}" if maximum is None else f"between {minimum} and {maximum}"
        raise invalid(f"Invalid {field} given: {seconds:g} s. It must be {bounds} seconds.")


def _refuse_missing(config: Any, fields: Collection[str]) -> None:
    named = {field.name for field, _ in config.ListFields()}
    for field in fields:
        if field in named:
            raise unimplemented(field)
