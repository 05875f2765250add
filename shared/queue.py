"""Publishing job messages, and noting in SQL that they are out."""

from collections.abc import Iterator, Sequence

import google.pubsub_v1 as plain
from google.api_core.retry import Retry
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import PubsubMessage
from sqlalchemy import Engine

from shared import lifecycle
from shared.jobs import Pending
from shared.messages import JobMessage
from shared.settings import Settings

#: Messages of one request; the API takes 1,000.
_MOST_MESSAGES = 500
#: Seconds that Pub/Sub may take to accept messages before the publish counts as failed: one try, and all of them.
_DEADLINE_SECONDS = 10
_RETRY = Retry(initial=0.2, maximum=2, timeout=_DEADLINE_SECONDS)


def open_publisher() -> PublisherClient:
    """Make a publisher; what is sent through it goes at once, for callers bring their batches themselves."""
    return PublisherClient()


def send(publisher: PublisherClient, settings: Settings, pending: Sequence[Pending]) -> Iterator[Pending]:
    """Announce queued jobs to the workers; give back each as Pub/Sub takes it.

    Raises:
        google.api_core.exceptions.GoogleAPIError: Pub/Sub did not accept a message, or did not answer in time.
    """
    for start in range(0, len(pending), _MOST_MESSAGES):
        batch = pending[start : start + _MOST_MESSAGES]
        resend(publisher, settings, [PubsubMessage(data=JobMessage(job_id=p.id).encode()) for p in batch])
        yield from batch


def resend(publisher: PublisherClient, settings: Settings, messages: Sequence[PubsubMessage]) -> None:
    """Publish messages to the jobs topic as they are; none of theirs is lost or noted.

    Raises:
        google.api_core.exceptions.GoogleAPIError: Pub/Sub did not accept them, or did not answer in time.
    """
    # The client's own publish gathers messages in threads of its own, and goes on trying for ten minutes after its
    # caller has given up.
    plain.PublisherClient.publish(
        publisher,
        topic=settings.jobs_topic_path,
        messages=list(messages),
        retry=_RETRY,
        timeout=_DEADLINE_SECONDS,
    )


def publish(engine: Engine, publisher: PublisherClient, settings: Settings, pending: Sequence[Pending]) -> None:
    """Announce queued jobs to the workers, then note it; a crash in between only means a second message.

    Raises:
        google.api_core.exceptions.GoogleAPIError: Pub/Sub did not accept a message; those it took are noted.
    """
    done: list[Pending] = []
    try:
        for job in send(publisher, settings, pending):
            done.append(job)  # noqa: PERF402 - what was taken before an error must be noted, too
    finally:
        if done:
            with engine.begin() as connection:
                lifecycle.mark_published(connection, done)
