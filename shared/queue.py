"""Publishing job messages, and noting in SQL that they are out."""

from collections.abc import Iterator, Sequence

import google.pubsub_v1 as plain
from google.api_core.retry import Retry
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, PubsubMessage
from sqlalchemy import Engine

from shared import lifecycle
from shared.jobs import Pending
from shared.messages import JobMessage
from shared.settings import Settings

#: Seconds that Pub/Sub may take to accept a message before the publish counts as failed.
_DEADLINE_SECONDS = 20


def open_publisher() -> PublisherClient:
    """Make a publisher that sends at once when alone and in batches when busy."""
    return PublisherClient(
        batch_settings=BatchSettings(max_messages=500, max_latency=0.005),
    )


def send(publisher: PublisherClient, settings: Settings, pending: Sequence[Pending]) -> Iterator[Pending]:
    """Announce queued jobs to the workers; give back each as Pub/Sub takes it.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Pub/Sub did not accept a message.
        TimeoutError: it did not answer in time.
    """
    topic = settings.jobs_topic_path
    futures = [
        (p, publisher.publish(topic, JobMessage(job_id=p.id).encode(), timeout=_DEADLINE_SECONDS)) for p in pending
    ]
    for job, future in futures:
        future.result(timeout=_DEADLINE_SECONDS + 5)
        yield job


def resend(publisher: PublisherClient, settings: Settings, messages: Sequence[PubsubMessage]) -> None:
    """Publish messages to the jobs topic as they are; none of theirs is lost or noted.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Pub/Sub did not accept them.
    """
    # The client's own publish takes attributes as keywords, which a message's own names could clash with.
    plain.PublisherClient.publish(
        publisher,
        topic=settings.jobs_topic_path,
        messages=list(messages),
        retry=Retry(timeout=_DEADLINE_SECONDS),
        timeout=_DEADLINE_SECONDS,
    )


def publish(engine: Engine, publisher: PublisherClient, settings: Settings, pending: Sequence[Pending]) -> None:
    """Announce queued jobs to the workers, then note it; a crash in between only means a second message.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Pub/Sub did not accept a message; those it took are noted.
        TimeoutError: it did not answer in time.
    """
    done: list[Pending] = []
    try:
        for job in send(publisher, settings, pending):
            done.append(job)  # noqa: PERF402 - what was taken before an error must be noted, too
    finally:
        if done:
            with engine.begin() as connection:
                lifecycle.mark_published(connection, done)
