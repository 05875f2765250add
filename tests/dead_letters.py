"""Messages that Pub/Sub gives up delivering, on a local cloud under test."""

import uuid
from collections.abc import Sequence

from google.pubsub_v1 import PubsubMessage

from local.site import DEAD
from tests.cloud import Cloud, wait_for

#: The fewest attempts that Pub/Sub allows.
ATTEMPTS = 5


def undeliverable(cloud: Cloud, *messages: PubsubMessage) -> None:
    """Give messages back, on a subscription of their own, until Pub/Sub gives them up."""
    name = f"trial-{uuid.uuid4().hex[:8]}"
    topic, subscription = cloud.topic(name), f"projects/{cloud.settings.project}/subscriptions/{name}"
    cloud.publisher.create_topic(name=topic)
    policy = {"dead_letter_topic": cloud.topic(DEAD), "max_delivery_attempts": ATTEMPTS}
    cloud.subscriber.create_subscription(request={"name": subscription, "topic": topic, "dead_letter_policy": policy})
    cloud.publisher.publish(topic=topic, messages=list(messages))
    for _ in range(ATTEMPTS):
        left = len(messages)
        while left:
            received = cloud.subscriber.pull(subscription=subscription, max_messages=left, timeout=10).received_messages
            ids = [message.ack_id for message in received]
            left -= len(ids)
            if ids:
                cloud.subscriber.modify_ack_deadline(subscription=subscription, ack_ids=ids, ack_deadline_seconds=0)


def lose(cloud: Cloud, subscription: str, messages: Sequence[bytes]) -> None:
    """Take messages off a subscription, as a worker does that dies right after its answer."""
    wanted = set(messages)

    def all_gone() -> bool:
        pulled = cloud.subscriber.pull(subscription=subscription, max_messages=10, timeout=10).received_messages
        cloud.subscriber.acknowledge(subscription=subscription, ack_ids=[message.ack_id for message in pulled])
        wanted.difference_update(message.message.data for message in pulled)
        return not wanted

    wait_for(all_gone, 30, "the messages came")
