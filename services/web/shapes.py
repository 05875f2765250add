"""The JSON of API v1: what goes in and what comes out. The pages show the same objects."""

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from shared.models import JobStatus, Outcome, StopMode, WorkerState
from shared.objects import SETTINGS_MAX_BYTES, settings_metadata
from shared.storable import fault_of


class Shape(BaseModel):
    """An answer. Times are UTC (RFC 3339), sizes are bytes."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Wish(BaseModel):
    """A request body: JSON of exactly these members and types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Job(Shape):
    """One object, one pipeline."""

    id: uuid.UUID
    bucket: str
    object: str
    generation: str = Field(description="A 64-bit number; a string, because JavaScript would round it.")
    filename: str
    pipeline: str
    owner: str | None
    size_bytes: int
    content_type: str
    status: JobStatus
    progress: float = Field(description="From 0 to 1.")
    stage: str
    attempt: int = Field(description="How many times a worker took the job.")
    failures: int
    not_before: datetime = Field(description="A queued job is not taken before this time.")
    waiting_for: Literal["the queue to be resumed", "a run", "its next try", "a worker"] | None = Field(
        description="What a queued job waits for; null in any other state."
    )
    worker: str | None
    error: str | None = Field(description="The latest failure, in words.")
    result: dict[str, Any] | None
    thumbnail_url: str | None = Field(description="Path of the artifact of kind 'thumbnail', if there is one.")
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime


class Attempt(Shape):
    """One time that a worker held the job."""

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None = Field(description="Null while it runs. Preempted and lost attempts are no failures.")
    error: str | None
    steps_stored: int
    saved_seconds: float = Field(description="Work that stored steps of earlier attempts spared this one, in seconds.")


class Artifact(Shape):
    """One published file."""

    id: uuid.UUID
    kind: str
    filename: str
    content_type: str
    size_bytes: int
    metadata: dict[str, Any]
    url: str = Field(description="Short-lived signed URL. /api/v1/artifacts/{id} always leads to a fresh one.")
    created_at: datetime


class JobDetail(Job):
    """All there is to know about a job."""

    settings: dict[str, Any]
    attempts: list[Attempt]
    artifacts: list[Artifact]


class JobPage(Shape):
    """A page of jobs, newest first."""

    jobs: list[Job]
    next_cursor: str | None = Field(description="Pass it as 'cursor' for the next page; null on the last one.")


class Retried(Shape):
    """What a retry of many came to."""

    queued: int = Field(description="Jobs that are in the queue again.")
    refused: int = Field(
        description="Jobs left alone, as no installed pipeline would take them or their file was never there."
    )
    next_cursor: str | None = Field(description="Where to go on, in another call with it; null when all are done.")


class Counts(Shape):
    """How many jobs the caller may see in each state."""

    queued: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    superseded: int = 0


class HeldJob(Shape):
    """A job that a worker holds. Somebody else's is shown without id and name."""

    id: uuid.UUID | None
    filename: str | None
    pipeline: str
    stage: str
    progress: float


class Instance(Shape):
    """One boot of a VM."""

    id: str
    instance: str
    zone: str
    machine_type: str
    state: WorkerState
    started_at: datetime
    last_seen: datetime
    slots: int
    jobs: list[HeldJob]


class Workers(Shape):
    """The fleet."""

    target: int = Field(description="VMs that the instance group is to have.")
    instances: list[Instance]


class Run(Shape):
    """One Run."""

    id: uuid.UUID
    state: Literal["running", "stopping", "ended"]
    started_by: str
    started_at: datetime
    workers: int = Field(description="VMs asked for.")
    stop_mode: StopMode | None
    stopped_by: str | None
    stopped_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    jobs_done: int
    vm_seconds: float
    cost_usd: float | None = Field(description="What its VMs have cost so far; null without a price in the settings.")
    problem: str | None = Field(description="What keeps VMs from starting, in the words of Compute.")
    beyond_budget: bool = Field(description="An admin started it although the budget is spent.")


class Estimate(Shape):
    """What working through the queue takes, judged by jobs that finished recently."""

    seconds: float | None = Field(description="Null while nothing is known about the pipelines in the queue.")
    workers_suggested: int
    cost_usd: float | None


class DeadLetter(Shape):
    """A message that Pub/Sub gave up delivering to the workers."""

    id: uuid.UUID
    message_id: str
    received_at: datetime = Field(description="When it was given up.")
    published_at: datetime
    subscription: str
    delivery_attempts: int
    job_id: uuid.UUID | None = Field(description="The job that the message names.")
    filename: str | None = Field(description="Of the job's file; null if there is no such job.")
    job_status: JobStatus | None
    preview: str = Field(description="The beginning of its data, as text.")
    size_bytes: int
    attributes: dict[str, str]
    why: str = Field(description="What probably happened, and what can be done.")
    can_replay: bool
    replayed_at: datetime | None
    replayed_by: str | None
    discarded_at: datetime | None
    discarded_by: str | None


class DeadLetterPage(Shape):
    """A page of messages that wait for a decision, newest first."""

    dead_letters: list[DeadLetter]
    next_cursor: str | None = Field(description="Pass it as 'cursor' for the next page; null on the last one.")


class Decided(Shape):
    """What a decision on all undelivered messages came to."""

    done: int
    left: int = Field(description="Messages that wait still: they cannot be replayed, or there was no time for them.")


class Pause(Shape):
    """A pause of the whole queue: jobs at hand are finished, nothing new starts."""

    paused_by: str
    paused_at: datetime


class SpentBudget(Shape):
    """A budget of the workers that is spent: they are stopped until there is a new period or a larger budget."""

    name: str
    cost: float
    amount: float
    currency: str
    interval_start: datetime = Field(description="When the period began that the cost is of.")
    spent_at: datetime


class Queue(Shape):
    """What the processing page shows above the list of jobs."""

    counts: Counts
    pause: Pause | None = Field(description="Null while the queue moves.")
    budget: SpentBudget | None = Field(description="Null unless the workers' budget is spent.")
    workers: Workers
    run: Run | None
    last_run: Run | None
    estimate: Estimate
    problem: str | None = Field(description="What a person should know: why no VM starts, for example.")
    dead_letters: int = Field(description="Messages that nobody could deliver, for admins to decide on; else 0.")


class Upload(Shape):
    """Where and how to send one file. The headers are part of the signature: send exactly these."""

    upload_id: uuid.UUID
    bucket: str
    object: str
    protocol: Literal["put", "resumable"] = Field(
        description="put: one PUT of the whole file. resumable: POST, then PUT chunks to the answer's Location."
    )
    method: Literal["PUT", "POST"]
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Health(Shape):
    """The service answers."""

    status: Literal["ok"]


def in_words(expected: str) -> WrapValidator:
    """Say what is expected where a pattern does not match: a person cannot read the pattern."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError as error:
            if any(e["type"] == "string_pattern_mismatch" for e in error.errors(include_url=False)):
                raise ValueError(expected) from None
            raise

    return WrapValidator(check)


def _whole(value: object) -> object:
    """Take 5.0 for 5, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


#: Media type of RFC 9110, with its parameters.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
MEDIA_TYPE = rf'{_WORD}/{_WORD}( *; *{_WORD}=({_WORD}|"[ !#-\[\]-~]*"))*'


def _storable(settings: dict[str, Any]) -> dict[str, Any]:
    if (fault := fault_of(settings)) is not None:
        raise ValueError(f"These settings cannot be used: {fault}.")
    settings_metadata(settings)
    return settings


class NewUpload(Wish):
    """A file that somebody wants to upload."""

    filename: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    content_type: Annotated[
        str,
        StringConstraints(max_length=200, pattern=f"^({MEDIA_TYPE})?$"),
        in_words("This is no media type such as image/jpeg."),
    ] = Field("", description="Media type as the browser knows it; empty: judged by the name.")
    size: Annotated[int, Field(ge=1, le=5 * 1024**4, description="Bytes."), BeforeValidator(_whole)]
    pipeline: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    settings: Annotated[dict[str, Any], AfterValidator(_storable)] = Field(
        default_factory=dict,
        description=f"Settings of the pipeline, by its own schema; {SETTINGS_MAX_BYTES} bytes of JSON at most.",
    )


class NewRun(Wish):
    """How many VMs should work; without a number, the suggested one."""

    workers: Annotated[int, Field(ge=1), BeforeValidator(_whole)] | None = None
    override_budget: bool = Field(False, description="Start them although the budget is spent; for admins.")


#: Postgres cannot hold the character NUL in text.
NO_NUL = r"^[^\x00]*$"
no_nul = in_words("This holds a NUL, which no name has.")
Words = Annotated[str, StringConstraints(max_length=200, pattern=NO_NUL), no_nul]


class RetryJobs(Wish):
    """Which jobs to queue again: those that GET /jobs lists by the same filters. What is empty does not matter."""

    status: Annotated[
        str,
        StringConstraints(max_length=200, pattern=r"^(failed|cancelled)(,(failed|cancelled))*$"),
        in_words("Name failed, cancelled or both, separated by a comma."),
    ] = "failed"
    pipeline: Words = ""
    q: Words = Field("", description="Part of the file's name; one or two letters: how it begins.")
    cursor: Words = Field("", description="next_cursor of the call before; without one, from the newest job.")


class StopRun(Wish):
    """drain: jobs at hand are finished first. now: they go back to the queue, without counting as a failure."""

    mode: Literal["drain", "now"]


class ProblemShape(Shape):
    """An error as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list["FieldProblem"] = Field(default=[], description="Each part of the request that is wrong.")


class FieldProblem(Shape):
    """What is wrong with one part of the request."""

    pointer: str = Field(description="JSON pointer into the body, or the name of a parameter.")
    detail: str
