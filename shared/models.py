"""The tables, typed. Times are the database's clock, aware UTC; sizes are bytes."""

import enum
import uuid
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Text,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class JobStatus(enum.StrEnum):
    """Where a job stands (DESIGN section 4)."""

    QUEUED = "queued"  #: waits for a worker, perhaps until ``not_before``
    RUNNING = "running"  #: a worker holds its lease
    SUCCEEDED = "succeeded"  #: one attempt committed; its artifacts are the result
    FAILED = "failed"  #: cannot be processed, or failed too often
    CANCELLED = "cancelled"  #: somebody stopped it
    SUPERSEDED = "superseded"  #: the object was overwritten or deleted before it was processed


class Outcome(enum.StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"  #: it committed
    FAILED = "failed"  #: the pipeline or its process failed
    PREEMPTED = "preempted"  #: its VM was taken with notice, or stopped, and it let go of the job
    LOST = "lost"  #: its VM vanished and the lease ran out
    CANCELLED = "cancelled"  #: somebody cancelled the job meanwhile
    FENCED = "fenced"  #: it came back too late, another attempt owns the job


class WorkerState(enum.StrEnum):
    """Where a worker stands in the life of one boot."""

    STARTING = "starting"  #: registered, children not ready yet
    IDLE = "idle"  #: ready, nothing to do
    BUSY = "busy"  #: holds at least one job
    LEAVING = "leaving"  #: takes no more jobs and waits to be deleted
    GONE = "gone"  #: its VM no longer exists


class StopMode(enum.StrEnum):
    """How a run is stopped."""

    DRAIN = "drain"  #: jobs at hand are finished
    NOW = "now"  #: jobs at hand go back to the queue


class Base(DeclarativeBase):
    """Maps Python types to column types once."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        str: Text,
        int: BigInteger,
        list[str]: ARRAY(Text),
    }


def _enum(kind: type[enum.StrEnum]) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        create_constraint=True,
        name=kind.__name__.lower(),
        values_callable=lambda e: [m.value for m in e],
        length=16,
    )


#: The owner as the indexes have it; '' for jobs that are everybody's. Spaced as Postgres prints it, or Alembic sees a change.
_OWNER_KEY = text("(\nCASE\n    WHEN owner IS NULL THEN ''::text\n    ELSE owner\nEND)")


class Job(Base):
    """One row for each (bucket, object, generation, pipeline)."""

    __tablename__ = "jobs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    bucket: Mapped[str]
    object: Mapped[str]
    generation: Mapped[int]
    pipeline: Mapped[str]
    owner: Mapped[str | None]
    size_bytes: Mapped[int]
    content_type: Mapped[str]
    crc32c: Mapped[str | None]  #: base64, big-endian, as Cloud Storage writes it
    settings: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    status: Mapped[JobStatus] = mapped_column(_enum(JobStatus), server_default="queued")
    progress: Mapped[float] = mapped_column(server_default="0")
    stage: Mapped[str] = mapped_column(server_default="")
    attempt: Mapped[int] = mapped_column(server_default="0")  #: the fencing token: raised by every claim
    failures: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[datetime] = mapped_column(server_default=func.now())
    worker: Mapped[str | None]  #: ``workers.id`` of the holder
    lease_until: Mapped[datetime | None]
    error: Mapped[str | None]  #: the latest failure, in words for the uploader
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    queued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    published_at: Mapped[datetime | None]

    attempts: Mapped[list["Attempt"]] = relationship(order_by="Attempt.attempt", viewonly=True)
    artifacts: Mapped[list["Artifact"]] = relationship(order_by="Artifact.kind", viewonly=True)

    __table_args__ = (
        UniqueConstraint("bucket", "object", "generation", "pipeline", name="jobs_identity"),
        CheckConstraint("progress BETWEEN 0 AND 1", name="jobs_progress"),
        CheckConstraint("(status = 'running') = (lease_until IS NOT NULL)", name="jobs_lease"),
        Index("jobs_newest", text("created_at DESC"), text("id DESC")),
        Index("jobs_owner_newest", _OWNER_KEY, text("created_at DESC"), text("id DESC")),
        Index("jobs_owner_status_newest", _OWNER_KEY, "status", text("created_at DESC"), text("id DESC")),
        Index("jobs_status_newest", "status", text("created_at DESC"), text("id DESC")),
        Index("jobs_pipeline_newest", "pipeline", "status", text("created_at DESC"), text("id DESC")),
        Index("jobs_owner_pipeline_newest", _OWNER_KEY, "pipeline", "status", text("created_at DESC"), text("id DESC")),
        Index("jobs_queue", "not_before", postgresql_where=text("status = 'queued'")),
        Index("jobs_unpublished", "not_before", postgresql_where=text("status = 'queued' AND published_at IS NULL")),
        Index(
            "jobs_published", "published_at", postgresql_where=text("status = 'queued' AND published_at IS NOT NULL")
        ),
        Index("jobs_leases", "lease_until", postgresql_where=text("status = 'running'")),
        Index("jobs_worker", "worker", postgresql_where=text("status = 'running'")),
        Index("jobs_finished", "finished_at", postgresql_where=text("finished_at IS NOT NULL")),
        Index(
            "jobs_filename_search",
            literal_column("regexp_replace(object, '^.*/', '')").label("filename"),
            postgresql_using="gin",
            postgresql_ops={"filename": "gin_trgm_ops"},
        ),
        Index("jobs_done", "finished_at", postgresql_where=text("status IN ('succeeded', 'failed') AND attempt > 0")),
    )


class Attempt(Base):
    """One row for each time a worker held a job."""

    __tablename__ = "attempts"

    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    attempt: Mapped[int] = mapped_column(primary_key=True)
    worker: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    outcome: Mapped[Outcome | None] = mapped_column(_enum(Outcome))
    error: Mapped[str | None]
    steps_stored: Mapped[int] = mapped_column(server_default="0")
    saved_seconds: Mapped[float] = mapped_column(server_default="0")  #: work that stored steps spared this attempt
    sweep_at: Mapped[datetime | None]  #: since when files may lie in the result bucket that nobody needs; None: none do

    __table_args__ = (
        Index("attempts_open", "worker", postgresql_where=text("ended_at IS NULL")),
        Index("attempts_sweep", "sweep_at", postgresql_where=text("sweep_at IS NOT NULL")),
    )


class Artifact(Base):
    """One published file of the winning attempt."""

    __tablename__ = "artifacts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    attempt: Mapped[int]
    kind: Mapped[str]
    bucket: Mapped[str]
    object: Mapped[str]
    generation: Mapped[int]
    content_type: Mapped[str]
    size_bytes: Mapped[int]
    crc32c: Mapped[str]
    filename: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", server_default=text("'{}'::jsonb"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("job_id", "kind", name="artifacts_kind"),)


class Passage(Base):
    """Words of a recording that the winning attempt heard, as they are searched."""

    __tablename__ = "passages"

    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)  #: from 1, in the order of the recording
    attempt: Mapped[int]
    start_seconds: Mapped[float]
    end_seconds: Mapped[float]
    speaker: Mapped[str | None]  #: label; what people call them is in ``speakers``
    language: Mapped[str]  #: ISO 639-1, whatever it says; a column of type regconfig would bar pg_upgrade
    text: Mapped[str]
    words: Mapped[str] = mapped_column(
        TSVECTOR, Computed("to_tsvector(search_language(language), searchable(text))", persisted=True)
    )

    __table_args__ = (Index("passages_words", "words", postgresql_using="gin"),)


class Speaker(Base):
    """What somebody calls a speaker of a recording."""

    __tablename__ = "speakers"

    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True)
    label: Mapped[str] = mapped_column(primary_key=True)  #: as the transcript has it: S1, S2, …
    name: Mapped[str]
    renamed_by: Mapped[str]
    renamed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Run(Base):
    """One row for each Run; at most one is open."""

    __tablename__ = "runs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    started_by: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    workers: Mapped[int]  #: VMs asked for
    stop_mode: Mapped[StopMode | None] = mapped_column(_enum(StopMode))
    stopped_by: Mapped[str | None]
    stopped_at: Mapped[datetime | None]  #: when somebody pressed Stop; the run ends when its last VM is gone
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    jobs_done: Mapped[int] = mapped_column(server_default="0")
    vm_seconds: Mapped[float] = mapped_column(server_default="0")
    cost_usd: Mapped[float | None]
    problem: Mapped[str | None]  #: what keeps VMs from starting: stockout, quota
    jobs_counted: Mapped[int] = mapped_column(server_default="0")  #: of an open run, until ``counted_until``
    counted_until: Mapped[datetime | None]
    beyond_budget: Mapped[bool] = mapped_column(server_default=text("false"))  #: an admin started it though it is spent

    __table_args__ = (Index("runs_open", text("(true)"), unique=True, postgresql_where=text("ended_at IS NULL")),)


class Worker(Base):
    """One row for each boot of a VM."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)  #: instance/first part of the boot id
    instance: Mapped[str]
    zone: Mapped[str]
    boot_id: Mapped[str]
    machine_type: Mapped[str]
    slots: Mapped[int]
    state: Mapped[WorkerState] = mapped_column(_enum(WorkerState), server_default="starting")
    stop_mode: Mapped[StopMode | None] = mapped_column(_enum(StopMode))  #: asked of the agent by Stop
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_seen: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]
    idle_since: Mapped[datetime | None]  #: since when it has taken whatever it was given, and was given nothing

    __table_args__ = (
        UniqueConstraint("instance", "boot_id", name="workers_boot"),
        Index("workers_alive", "instance", postgresql_where=text("state <> 'gone'")),
        Index("workers_ended", "ended_at"),
    )


class Pause(Base):
    """One row for each time an admin paused the whole queue; at most one is open."""

    __tablename__ = "pauses"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    paused_by: Mapped[str]
    paused_at: Mapped[datetime] = mapped_column(server_default=func.now())
    resumed_by: Mapped[str | None]
    resumed_at: Mapped[datetime | None]

    __table_args__ = (Index("pauses_open", text("(true)"), unique=True, postgresql_where=text("resumed_at IS NULL")),)


class DeadLetter(Base):
    """A message that Pub/Sub gave up delivering, until somebody replays or discards it."""

    __tablename__ = "dead_letters"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    message_id: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
    published_at: Mapped[datetime]  #: when it was first published
    subscription: Mapped[str]  #: which could not deliver it
    delivery_attempts: Mapped[int]
    job_id: Mapped[uuid.UUID | None]  #: as the message says; there may be no such job
    data: Mapped[bytes]  #: its beginning, if it is long
    size_bytes: Mapped[int]  #: of all of its data
    attributes: Mapped[dict[str, Any]]
    replayed_at: Mapped[datetime | None]
    replayed_by: Mapped[str | None]
    discarded_at: Mapped[datetime | None]
    discarded_by: Mapped[str | None]

    __table_args__ = (
        UniqueConstraint("message_id", name="dead_letters_message"),
        Index(
            "dead_letters_open",
            text("received_at DESC"),
            text("id DESC"),
            postgresql_where=text("replayed_at IS NULL AND discarded_at IS NULL"),
        ),
    )


class Budget(Base):
    """What Cloud Billing said last about a budget of the workers."""

    __tablename__ = "budgets"

    name: Mapped[str] = mapped_column(primary_key=True)
    cost: Mapped[float]
    amount: Mapped[float]
    currency: Mapped[str]
    interval_start: Mapped[datetime]  #: of the period that the cost is of
    published_at: Mapped[datetime]  #: when Cloud Billing said so
    spent_at: Mapped[datetime | None]  #: when it first said that all of it is spent; null while it is not


class PipelineRow(Base):
    """What the installed worker image can do; filled at deploy."""

    __tablename__ = "pipelines"

    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[str]
    accepts: Mapped[list[str]]
    settings_schema: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())


class JobCount(Base):
    """Roll-up of jobs by owner and status, kept by a trigger through ``job_count_deltas`` and folded by the tick."""

    __tablename__ = "job_counts"

    owner: Mapped[str] = mapped_column(primary_key=True)  #: '' for jobs with no owner
    status: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int]


class JobCountDelta(Base):
    """Changes of the roll-up that no tick has folded yet; append-only, so that no two workers wait for one row."""

    __tablename__ = "job_count_deltas"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    owner: Mapped[str]
    status: Mapped[str]
    delta: Mapped[int]
