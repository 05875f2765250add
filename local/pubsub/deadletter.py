"""The copy of an undeliverable message that goes to the dead-letter topic."""

from typing import Any

from google.pubsub_v1.types import pubsub

_Message = pubsub.PubsubMessage.pb()


def forwarded(body: bytes, subscription_name: str, delivery_count: int) -> Any:
    """Make the message with the attributes that say where it came from.

    https://cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts
    """
    message = _Message.FromString(body)
    _, project, _, subscription = subscription_name.split("/")
    message.attributes.update(
        {
            "CloudPubSubDeadLetterSourceDeliveryCount": str(delivery_count),
            "CloudPubSubDeadLetterSourceSubscription": subscription,
            "CloudPubSubDeadLetterSourceSubscriptionProject": project,
            "CloudPubSubDeadLetterSourceTopicPublishTime": message.publish_time.ToJsonString(),
        }
    )
    return message
