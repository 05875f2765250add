"""The dispatcher's handlers in this process, on a database and buckets of a test's own, and what tests do with them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.storage import Bucket
from google.pubsub_v1 import PublisherClient
from sqlalchemy import Engine, text

from local.clients import publisher_of, subscriber_of
from services.dispatcher.backends import Backends
from services.dispatcher.handlers import tick
from shared import lifecycle
from shared.jobs import Claim, Completion, NewArtifact, NewJob
from shared.models import JobStatus
from shared.settings import DispatcherSettings

PROJECT, REGION, GROUP = "trial", "us-central1", "workers"


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of the tests answer."""

    pubsub_host: str
    storage_url: str
    compute_url: str


class Dispatch:
    """One dispatcher. ``backends()`` makes another one, as a second instance of the service has it."""

    def __init__(self, engine: Engine, database_url: str, servers: Servers, **settings: object) -> None:
        self.engine = engine
        name = uuid.uuid4().hex[:12]
        told: dict[str, object] = {
            "project": PROJECT,
            "region": REGION,
            "instance_group": GROUP,
            "database_url": database_url,
            "compute_endpoint": servers.compute_url,
            "upload_bucket": f"uploads-{name}",
            "result_bucket": f"results-{name}",
            "jobs_topic": f"jobs-{name}",
            "jobs_subscription": f"jobs-{name}",
        }
        self.settings = DispatcherSettings.model_validate(told | settings)
        self.own = self.backends()
        for bucket in (self.settings.upload_bucket, self.settings.result_bucket):
            self.own.storage.create_bucket(bucket)
        self.publisher: PublisherClient = publisher_of(servers.pubsub_host)
        self.subscriber: SubscriberClient = subscriber_of(servers.pubsub_host)
        self.publisher.create_topic(name=self.settings.jobs_topic_path)
        self.subscriber.create_subscription(
            name=self.settings.jobs_subscription_path, topic=self.settings.jobs_topic_path, ack_deadline_seconds=60
        )

    def backends(self, **settings: object) -> Backends:
        return Backends(self.settings.model_copy(update=settings))

    def close(self) -> None:
        self.publisher.transport.close()  # type: ignore[no-untyped-call]
        self.subscriber.close()
        self.own.engine.dispose()

    # What is there

    @property
    def uploads(self) -> Bucket:
        return self.own.storage.bucket(self.settings.upload_bucket)

    @property
    def results(self) -> Bucket:
        return self.own.storage.bucket(self.settings.result_bucket)

    def files(self) -> set[str]:
        """Names of all objects in the result bucket."""
        return {blob.name for blob in self.results.list_blobs()}

    def rows(self, statement: str, **values: object) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), values))

    def job(self, job: uuid.UUID) -> Any:
        return self.rows("SELECT * FROM jobs WHERE id = :id", id=job)[0]

    def to_sweep(self) -> int:
        """Count the attempts that are to be looked at now or some day."""
        return int(self.rows("SELECT count(*) FROM attempts WHERE sweep_at IS NOT NULL")[0][0])

    def pulled(self) -> list[str]:
        """Pull what is in the queue, without acknowledging it."""
        answer = self.subscriber.pull(
            subscription=self.settings.jobs_subscription_path, max_messages=1000, return_immediately=True, timeout=10
        )
        return [received.message.data.decode() for received in answer.received_messages]

    # What happens

    def record(self, *names: str) -> list[uuid.UUID]:
        """Record a queued job for each object name."""
        new = [NewJob(self.settings.upload_bucket, name, 1, "image", 10, "image/jpeg") for name in names]
        with self.engine.begin() as connection:
            return [recorded.id for recorded in lifecycle.record(connection, new)]

    def claim(self, *jobs: uuid.UUID, worker: str = "vm-1/boot") -> list[Claim]:
        with self.engine.begin() as connection:
            return lifecycle.claim(connection, jobs, worker=worker, lease_seconds=self.settings.lease_seconds)

    def commit(self, claims: Sequence[Claim], steps_stored: int = 0) -> None:
        """Have these win, each with one artifact named ``result``."""
        bucket = self.settings.result_bucket

        def artifact(c: Claim) -> NewArtifact:
            name = f"{c.id}/{c.attempt}/result"
            return NewArtifact("result", bucket, name, 1, "text/plain", 5, "AAAAAA==", "result")

        completions = [Completion(c.id, c.attempt, {}, [artifact(c)], steps_stored) for c in claims]
        with self.engine.begin() as connection:
            assert len(lifecycle.commit(connection, completions)) == len(claims)

    def lose(self, *jobs: uuid.UUID) -> None:
        """Let the leases of running jobs run out, and have them found lost."""
        self.change("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = ANY(:ids)", ids=list(jobs))
        with self.engine.begin() as connection:
            assert len(lifecycle.expire(connection, lease_seconds=0, most=10_000)) == len(jobs)

    def put(self, *names: str) -> None:
        """Write objects into the result bucket."""
        for name in names:
            self.results.blob(name).upload_from_string(b"bytes", content_type="text/plain")

    def age(self, seconds: float) -> None:
        """Let all attempts and jobs that are over have ended so long ago."""
        for statement in (
            "UPDATE attempts SET ended_at = ended_at - make_interval(secs => :s) WHERE ended_at IS NOT NULL",
            "UPDATE attempts SET sweep_at = sweep_at - make_interval(secs => :s) WHERE sweep_at IS NOT NULL",
            "UPDATE jobs SET finished_at = finished_at - make_interval(secs => :s) WHERE finished_at IS NOT NULL",
        ):
            self.change(statement, s=seconds)

    def change(self, statement: str, **values: object) -> None:
        with self.engine.begin() as connection:
            connection.execute(text(statement), values)

    def now(self) -> datetime:
        moment: datetime = self.rows("SELECT now()")[0][0]
        return moment

    def tick(self, backends: Backends | None = None) -> None:
        """Let a minute have passed."""
        tick.handle(backends or self.own, b"{}", self.now())

    def counts(self) -> dict[JobStatus, int]:
        rows = self.rows("SELECT status, count(*) FROM jobs GROUP BY 1")
        return {JobStatus(status): number for status, number in rows}
