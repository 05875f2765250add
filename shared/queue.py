"""Publishing job messages, and noting in SQL that they are out."""

from collections.abc import Sequence

from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings
from sqlalchemy import Engine

from shared import lifecycle
from shared.lifecycle import Pending
from shared.messages import JobMessage
from shared.settings import Settings

#: Seconds that Pub/Sub may take to accept a message before the publish counts as failed.
_DEADLINE_SECONDS = 20


def open_publisher() -> PublisherClient:
    """Make a publisher that sends at once when alone and in batches when busy."""
    return PublisherClient(
        batch_settings=BatchSettings(max_messages=500, max_latency=0.005),
    )


def publish(engine: Engine, publisher: PublisherClient, settings: Settings, pending: Sequence[Pending]) -> None:
    """Announce queued jobs to the workers, then note it; a crash in between only means a second message.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: Pub/Sub did not accept a message; those it took are noted.
        TimeoutError: it did not answer in time.
    """
    topic = settings.jobs_topic_path
    futures = [
        (p, publisher.publish(topic, JobMessage(job_id=p.id).encode(), timeout=_DEADLINE_SECONDS)) for p in pending
    ]
    done: list[Pending] = []
    try:
        for job, future in futures:
            future.result(timeout=_DEADLINE_SECONDS + 5)
            done.append(job)
    finally:
        if done:
            with engine.begin() as connection:
                lifecycle.mark_published(connection, done)
