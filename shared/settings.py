"""Every setting of every process, read from the environment once and checked before anything starts."""

from functools import cache
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

#: Processes that sign in to the database, each in its own group role ``spotmill_<process>``.
PROCESSES = ("web", "dispatcher", "worker")


class SettingsError(Exception):
    """One or more settings are missing or wrong; the message names each by its environment variable."""


class DatabaseSettings(BaseSettings):
    """Where the database is. ``SPOTMILL_`` is the prefix unless a field names another variable."""

    model_config = SettingsConfigDict(env_prefix="SPOTMILL_", extra="ignore", frozen=True, populate_by_name=True)

    database_url: str | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "database_url"),
        description="postgresql+pg8000:// URL of this process's own database role. Not set in the cloud.",
    )
    database_instance: str | None = Field(
        None,
        description="Cloud SQL instance (project:region:name), reached through the connector with IAM.",
    )
    database_admin_endpoint: str | None = Field(
        None, description="Base URL of the Cloud SQL Admin API; None is Google's own."
    )
    database_name: str = Field("spotmill", description="Database on the Cloud SQL instance.")
    database_user: str | None = Field(
        None, description="IAM database user (a service account without .gserviceaccount.com)."
    )
    database_pool_size: int = Field(4, ge=1, le=50, description="Connections that one process keeps open at most.")
    database_timeout_seconds: float = Field(10, gt=0, description="Seconds to wait for a connection or a statement.")

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if (self.database_url is None) == (self.database_instance is None):
            raise ValueError("set either DATABASE_URL or SPOTMILL_DATABASE_INSTANCE")
        if self.database_instance is not None and self.database_user is None:
            raise ValueError("SPOTMILL_DATABASE_INSTANCE needs SPOTMILL_DATABASE_USER")
        return self


class Settings(DatabaseSettings):
    """What all processes share."""

    project: str = Field(validation_alias=AliasChoices("GOOGLE_CLOUD_PROJECT", "project"), description="Project id.")
    region: str = Field("us-central1", description="Region of the instance group and of the buckets.")

    upload_bucket: str = Field(description="Bucket that people and systems put media into.")
    result_bucket: str = Field(description="Bucket for results and stored steps.")
    jobs_topic: str = Field("spotmill-jobs", description="Topic that says 'look at job X now'.")
    jobs_subscription: str = Field("spotmill-jobs", description="Pull subscription of the workers.")
    ingest_topic: str = Field("spotmill-ingest", description="Topic for other systems: {'uri': 'gs://...'}.")
    instance_group: str = Field("spotmill-workers", description="Regional managed instance group of the workers.")
    compute_endpoint: str | None = Field(None, description="Base URL of the Compute API; None is Google's own.")

    lease_seconds: int = Field(40, ge=5, description="Seconds a worker owns a job without renewing its lease.")
    max_failures: int = Field(5, ge=1, description="Failures after which a job is failed for good.")
    backoff_seconds: float = Field(
        10,
        gt=0,
        description="Longest wait before the first retry, in seconds; doubled with each failure. The wait is drawn between "
        "half of that and all of it; the tick after it, once a minute, announces the job to the workers.",
    )
    backoff_max_seconds: float = Field(600, gt=0, description="What the doubling ends at, in seconds.")
    max_workers: int = Field(2, ge=1, le=1000, description="Most VMs a run may ask for.")
    worker_slots: int = Field(2, ge=1, le=256, description="Jobs that one VM works on at once.")
    worker_boot_seconds: int = Field(
        180, ge=1, description="A run whose VMs have not reported for this many seconds says so on the page."
    )
    vm_hourly_usd: float | None = Field(
        None, ge=0, description="Price of one worker VM in USD per hour; None shows no cost."
    )

    log_format: Literal["json", "console", "auto"] = Field(
        "auto", description="json for Cloud Logging, console for people."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level written.")

    @model_validator(mode="after")
    def _backoff_grows(self) -> Self:
        if self.backoff_max_seconds < self.backoff_seconds:
            raise ValueError("SPOTMILL_BACKOFF_MAX_SECONDS must not be below SPOTMILL_BACKOFF_SECONDS")
        return self

    @property
    def jobs_topic_path(self) -> str:
        """Full name of the jobs topic."""
        return f"projects/{self.project}/topics/{self.jobs_topic}"

    @property
    def jobs_subscription_path(self) -> str:
        """Full name of the jobs subscription."""
        return f"projects/{self.project}/subscriptions/{self.jobs_subscription}"


class DispatcherSettings(Settings):
    """What the dispatcher needs besides."""

    tick_topic: str = Field("spotmill-tick", description="Topic of the Cloud Scheduler ticks.")
    budget_topic: str = Field("spotmill-budget", description="Topic of budget notifications.")
    dead_letter_topic: str = Field(
        "spotmill-jobs-dead", description="Topic of messages that Pub/Sub gave up delivering to the workers."
    )
    allowed_buckets: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Buckets besides the upload bucket that ingest messages may name, comma-separated."
    )
    tick_max_age_seconds: int = Field(90, ge=1, description="A tick older than this is acknowledged unrun, in seconds.")
    republish_after_seconds: int = Field(
        6 * 86400,
        ge=60,
        description="Publish a queued job again after this many seconds; below the subscription's retention.",
    )
    republish_idle_seconds: int = Field(
        120,
        ge=5,
        description="While a worker has been idle for this many seconds, a message that was sent as long ago counts as "
        "lost, and its job is published again; longer than the ack deadline.",
    )
    publish_batch: int = Field(1000, ge=1, le=10000, description="Jobs that one tick publishes in one batch.")
    worker_gone_seconds: int = Field(
        120, ge=10, description="A worker unseen for this many seconds and not in the group is gone."
    )
    sweep_after_seconds: int = Field(
        900,
        ge=1,
        description="Files of an attempt that lost are deleted this many seconds after its end; longer than a lease and "
        "than a worker may still be sending a chunk.",
    )
    sweep_seconds: float = Field(20, gt=0, description="Longest time that one tick deletes files, in seconds.")
    steps_retention_days: float = Field(
        14, ge=0, description="Days for which the steps of a failed or cancelled job are kept for a retry."
    )

    @model_validator(mode="before")
    @classmethod
    def _split_buckets(cls, values: dict[str, object]) -> dict[str, object]:
        for key in ("allowed_buckets", "SPOTMILL_ALLOWED_BUCKETS"):
            raw = values.get(key)
            if isinstance(raw, str):
                values[key] = tuple(part.strip() for part in raw.split(",") if part.strip())
        return values

    @model_validator(mode="after")
    def _sweeps_no_live_attempt(self) -> Self:
        if self.sweep_after_seconds < self.lease_seconds:
            raise ValueError("SPOTMILL_SWEEP_AFTER_SECONDS must not be below SPOTMILL_LEASE_SECONDS")
        return self


class WorkerSettings(Settings):
    """What a worker needs besides."""

    boot_id: str | None = Field(None, description="Identity of this boot; None reads the kernel's boot id.")
    scratch_dir: str | None = Field(
        None, description="Directory for the files of running jobs; None is the system's temporary one."
    )
    renew_seconds: float = Field(15, gt=0, description="Seconds between renewals of SQL lease and ack deadline.")
    ack_deadline_seconds: int = Field(
        60, ge=10, le=600, description="Ack deadline that a renewal asks for, in seconds."
    )
    heartbeat_seconds: float = Field(
        2, gt=0, description="Seconds between looks at the worker's own row (drain, stop)."
    )
    claim_ahead_seconds: float = Field(
        0.1,
        ge=0,
        le=5,
        description="Work of tiny jobs (under 50 ms each) that a worker may claim before a slot is free, in seconds.",
    )
    idle_seconds: float = Field(
        180, ge=1, description="Seconds without a due job after which a worker marks itself leaving."
    )
    preemption_notice_seconds: float = Field(
        30, ge=0, description="Notice the VM template asks for, in seconds; Google gives 0, 30 or 120."
    )
    max_run_seconds: int = Field(24 * 3600, ge=1, description="Longest time one attempt may run, in seconds.")
    max_stall_seconds: int = Field(
        900, ge=1, description="Longest time without progress before an attempt is ended, in seconds."
    )
    child_memory_bytes: int = Field(
        8 * 1024**3, ge=64 * 1024**2, description="Address space that one pipeline process may use, in bytes."
    )
    child_file_bytes: int = Field(
        100 * 1024**3, ge=1024**2, description="Largest file that a pipeline process may write, in bytes."
    )
    child_open_files: int = Field(1024, ge=64, description="Files that one pipeline process may have open.")
    child_threads: int | None = Field(
        None, ge=1, description="Threads that one pipeline process may keep busy; None is the processors for each slot."
    )
    child_user: str | None = Field(None, description="User that pipeline processes run as; None keeps the agent's.")
    child_max_jobs: int = Field(200, ge=1, description="Jobs after which a warm pipeline process is replaced.")
    step_max_bytes: int = Field(5 * 1024**3, ge=1, description="Largest value one step may store, in bytes.")
    passages_max_bytes: int = Field(
        64 * 1024**2, ge=1, description="Most text for search, as JSON, that one job may hand over, in bytes."
    )
    models: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        (("whisper", "small"),),
        description="Models that pipelines may load, comma-separated NAME=PLACE: a path, gs://BUCKET/PREFIX, "
        "package:NAME/PATH in an installed package, or a model of the Hugging Face hub (small, ORGANISATION/REPOSITORY, "
        "either with @REVISION).",
    )
    model_dir: str | None = Field(None, description="Directory that keeps fetched models; None is in the scratch one.")
    language_model_engine: Literal["extractive", "gemini", "vertex", "openai", "anthropic"] = Field(
        "extractive",
        description="Service that analyses transcripts. With extractive it is done here, and no text leaves the project.",
    )
    language_model: str = Field("", description="Model of that service, as the service names it.")
    language_model_key: str | None = Field(
        None, repr=False, description="Key of the service; Vertex AI takes the VM's own credentials. A secret."
    )
    language_model_endpoint: str | None = Field(None, description="Base URL of the service; None is its own.")
    language_model_region: str | None = Field(
        None, description="Where Vertex AI is asked (a region, us, eu or global); None is SPOTMILL_REGION."
    )
    language_model_timeout_seconds: float = Field(
        120, gt=0, le=300, description="Longest time that the service may take for one answer, in seconds."
    )
    language_model_retries: int = Field(
        2, ge=0, le=5, description="Times that a question is asked again when the service is away or busy."
    )
    language_model_output_tokens: int = Field(
        16_000, ge=256, description="Most tokens of one answer, the model's thoughts included."
    )
    language_model_window_tokens: int = Field(
        100_000, ge=4_000, description="Tokens of question and answer together at most; longer transcripts are cut up."
    )
    language_model_calls: int = Field(500, ge=1, description="Most questions to the service that one job may ask.")

    @model_validator(mode="before")
    @classmethod
    def _split_models(cls, values: dict[str, object]) -> dict[str, object]:
        for key in ("models", "SPOTMILL_MODELS"):
            raw = values.get(key)
            if isinstance(raw, str):
                pairs = [part.strip().partition("=") for part in raw.split(",") if part.strip()]
                if wrong := [name for name, _, place in pairs if not name or not place]:
                    raise ValueError(f"SPOTMILL_MODELS: {', '.join(wrong)}: write NAME=PLACE,NAME=PLACE")
                values[key] = tuple((name, place) for name, _, place in pairs)
        return values

    @model_validator(mode="after")
    def _language_model_is_whole(self) -> Self:
        engine = self.language_model_engine
        if engine != "extractive" and not self.language_model:
            raise ValueError(f"SPOTMILL_LANGUAGE_MODEL_ENGINE={engine} needs SPOTMILL_LANGUAGE_MODEL")
        if engine not in ("extractive", "vertex") and not self.language_model_key:
            raise ValueError(f"SPOTMILL_LANGUAGE_MODEL_ENGINE={engine} needs SPOTMILL_LANGUAGE_MODEL_KEY")
        if (self.language_model_retries + 1) * self.language_model_timeout_seconds > 400:
            raise ValueError(
                "(SPOTMILL_LANGUAGE_MODEL_RETRIES + 1) * SPOTMILL_LANGUAGE_MODEL_TIMEOUT_SECONDS must be at most 400: a job "
                "that stands still for 15 minutes is ended"
            )
        if 2 * self.language_model_output_tokens > self.language_model_window_tokens:
            raise ValueError(
                "SPOTMILL_LANGUAGE_MODEL_OUTPUT_TOKENS must be at most half of SPOTMILL_LANGUAGE_MODEL_WINDOW_TOKENS"
            )
        return self

    @model_validator(mode="after")
    def _renews_in_time(self) -> Self:
        if 2 * self.renew_seconds > min(self.lease_seconds, self.ack_deadline_seconds):
            raise ValueError(
                "SPOTMILL_RENEW_SECONDS must be at most half of SPOTMILL_LEASE_SECONDS and SPOTMILL_ACK_DEADLINE_SECONDS"
            )
        return self


class WebSettings(Settings):
    """What the web service needs besides."""

    web_url: str = Field(
        "http://127.0.0.1:8080",
        pattern=r"^https?://[^/]+$",
        description="Origin under which browsers reach the web service.",
    )
    iap_audience: str | None = Field(None, description="Expected audience of the IAP assertion. Required in the cloud.")
    iap_keys_url: str = Field(
        "https://www.gstatic.com/iap/verify/public_key-jwk", description="Where the public keys of IAP are read."
    )
    dev_user: str | None = Field(
        None, description="E-mail of the development user; refused unless the service is on loopback."
    )
    admins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="E-mails of people who see all jobs, comma-separated."
    )
    signer_key: str | None = Field(
        None, description="Path of a service-account key that signs URLs; None signs through IAM signBlob. Local only."
    )
    signer_email: str | None = Field(
        None, description="Service account whose IAM signBlob signs URLs; None asks the metadata server."
    )
    storage_public_url: str | None = Field(
        None, description="Base URL of Cloud Storage for browsers; None is Google's own."
    )
    signed_url_seconds: int = Field(900, ge=60, le=604800, description="Life of a signed URL, in seconds.")
    upload_max_bytes: int = Field(5 * 1024**4, ge=1, description="Largest file that may be uploaded, in bytes.")
    upload_put_max_bytes: int = Field(
        8 * 1024**2, ge=0, description="Largest upload sent by one PUT, in bytes; larger ones resume."
    )
    form_upload_max_bytes: int = Field(32 * 1024**2, ge=1, description="Largest plain form upload, in bytes.")
    transcript_max_bytes: int = Field(
        32 * 1024**2, ge=1, description="Largest transcript that is shown and rendered with names, in bytes."
    )
    page_size: int = Field(50, ge=1, le=200, description="Jobs on one page of a listing unless asked otherwise.")

    @model_validator(mode="before")
    @classmethod
    def _split_admins(cls, values: dict[str, object]) -> dict[str, object]:
        for key in ("admins", "SPOTMILL_ADMINS"):
            raw = values.get(key)
            if isinstance(raw, str):
                values[key] = tuple(part.strip().lower() for part in raw.split(",") if part.strip())
        return values

    @model_validator(mode="after")
    def _someone_can_sign_in(self) -> Self:
        if (self.iap_audience is None) == (self.dev_user is None):
            raise ValueError(
                "set SPOTMILL_IAP_AUDIENCE (in the cloud) or SPOTMILL_DEV_USER (on loopback), and not both"
            )
        return self


class MigrationSettings(DatabaseSettings):
    """What ``spotmill migrate`` needs besides."""

    database_timeout_seconds: float = Field(
        3600, gt=0, description="As above; a migration may rewrite a table of millions of jobs."
    )
    database_owner: str | None = Field(
        None,
        description="Role that shall own the schema, if not the one that signs in; cloudsqlsuperuser on Cloud SQL.",
    )
    database_grants: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        (), description="Database users and the processes they are for: web=USER,dispatcher=USER,worker=USER."
    )

    @model_validator(mode="before")
    @classmethod
    def _split_grants(cls, values: dict[str, object]) -> dict[str, object]:
        for key in ("database_grants", "SPOTMILL_DATABASE_GRANTS"):
            raw = values.get(key)
            if isinstance(raw, str):
                pairs = [part.strip().partition("=") for part in raw.split(",") if part.strip()]
                if wrong := [name for name, _, user in pairs if name not in PROCESSES or not user]:
                    raise ValueError(
                        f"SPOTMILL_DATABASE_GRANTS: {', '.join(wrong)}: write {', '.join(f'{p}=USER' for p in PROCESSES)}"
                    )
                values[key] = tuple((name, user) for name, _, user in pairs)
        return values


S = TypeVar("S", bound=DatabaseSettings)


def _variable(kind: type[DatabaseSettings], location: tuple[int | str, ...]) -> str:
    """Name the environment variable of a field, as a person would set it."""
    name = str(location[0]) if location else ""
    field = kind.model_fields.get(name)
    alias = field.validation_alias if field else None
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return name if name.isupper() else f"SPOTMILL_{name.upper()}"


@cache
def load(kind: type[S]) -> S:
    """Read the settings of one process.

    Raises:
        SettingsError: a variable is missing or wrong; every one is named, with what was expected.
    """
    try:
        return kind()
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            if problem["loc"]:
                given = "" if problem["type"] == "missing" else f" (is {problem['input']!r})"
                lines.append(f"{_variable(kind, problem['loc'])}: {problem['msg']}{given}")
            else:
                lines.append(problem["msg"].removeprefix("Value error, "))
        raise SettingsError("; ".join(lines)) from None
