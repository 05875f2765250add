"""Pub/Sub gave up delivering a message to the workers."""

from collections.abc import Mapping
from datetime import datetime

import structlog

from services.dispatcher.backends import Backends
from shared import dead_letters
from shared.dead_letters import NewLetter
from shared.messages import JobMessage, MalformedError
from shared.storable import plain

#: Attributes that say where a message comes from
#: (https://cloud.google.com/pubsub/docs/handling-failures#track-delivery-attempts).
_SOURCE = "CloudPubSubDeadLetterSource"

log = structlog.get_logger()


def handle(
    backends: Backends, message_id: str, data: bytes, attributes: Mapping[str, str], published_at: datetime
) -> None:
    """Keep the message for an admin to decide on, once, however often it is delivered."""
    letter = read(message_id, data, attributes, published_at)
    with backends.engine.begin() as connection:
        new = dead_letters.take_in(connection, letter)
    log.error(
        "dead_letter.kept",
        message_id=message_id,
        job=str(letter.job_id) if letter.job_id else None,
        deliveries=letter.delivery_attempts,
        subscription=letter.subscription,
        new=new,
    )


def read(message_id: str, data: bytes, attributes: Mapping[str, str], published_at: datetime) -> NewLetter:
    """Part the message that was sent from what the dead-letter topic added to it."""
    own = {plain(k): plain(v) for k, v in attributes.items() if not k.startswith(_SOURCE)}
    deliveries = attributes.get(f"{_SOURCE}DeliveryCount", "")
    try:
        first_published = datetime.fromisoformat(attributes.get(f"{_SOURCE}TopicPublishTime", ""))
    except ValueError:
        first_published = published_at
    try:
        job_id = JobMessage.parse(data).job_id
    except MalformedError:
        job_id = None
    return NewLetter(
        message_id=plain(message_id),
        published_at=first_published if first_published.tzinfo else published_at,
        subscription=plain(attributes.get(f"{_SOURCE}Subscription", "")),
        delivery_attempts=int(deliveries[:9]) if deliveries.isascii() and deliveries.isdigit() else 0,
        job_id=job_id,
        data=data,
        attributes=own,
    )
