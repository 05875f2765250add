"""What a pipeline is, and what it may ask of the job it runs for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from spotmill.language_model import LanguageModel

ENTRY_POINT_GROUP = "spotmill.pipelines"

P = ParamSpec("P")
T = TypeVar("T")


class PermanentError(Exception):
    """The file can never be processed; the job fails at once.

    Raise it with one sentence that the person who uploaded the file understands.
    """


class RetryableError(Exception):
    """Something outside the file went wrong; the job is tried again later, five times at most."""


@dataclass(frozen=True, slots=True)
class Source:
    """The object a job was made for.

    ``generation`` tells this version of the object from those before and after it
    (https://cloud.google.com/storage/docs/object-versioning). ``size_bytes`` is exact; ``content_type`` is what the
    uploader claimed, so sniff before you trust it.
    """

    bucket: str
    name: str
    generation: int
    size_bytes: int
    content_type: str

    @property
    def filename(self) -> str:
        """The last part of the object's name."""
        return self.name.rsplit("/", 1)[-1]

    @property
    def uri(self) -> str:
        """``gs://bucket/name#generation``."""
        return f"gs://{self.bucket}/{self.name}#{self.generation}"


@dataclass(frozen=True, slots=True)
class Model:
    """Weights on local disk, whole and verified.

    ``id`` is a hash of them: part of the key of what depends on them. ``place`` is where they come from, as people know
    it: ``large-v3``, ``gs://bucket/models/ours``.
    """

    path: Path
    id: str
    place: str = ""


class ModelError(RetryableError):
    """A model cannot be had on this worker; the message says which, and why."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of a recording that full-text search should find; times are seconds from its start."""

    start: float
    end: float
    text: str
    speaker: str | None = None


class Job(Protocol):
    """The one job a pipeline runs for. Every method may be called from the pipeline's own thread only."""

    @property
    def source(self) -> Source:
        """The object to process."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings this job was submitted with, checked against the pipeline's schema."""

    @property
    def scratch(self) -> Path:
        """An empty directory of this attempt; it is deleted when the attempt ends."""

    def download(self) -> Path:
        """Return the path of the source on local disk (its bytes are already there and verified)."""

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` once in the life of the job and return what it returned.

        The value (JSON, ``bytes``, or the ``Path`` of a file) is stored beside the job; a later attempt gets the stored
        value without running ``fn``. ``key`` must be unique in the pipeline and say what the step depends on.

        Raises:
            TypeError: ``fn`` returned something that is neither JSON, bytes nor a path.
        """

    def model(self, name: str) -> Model:
        """Return weights that this mill's operator offers under ``name``, fetched and verified by the agent.

        Raises:
            ModelError: there are none of that name, or they cannot be fetched now.
        """

    @property
    def language_model(self) -> LanguageModel | None:
        """The hosted model that may be asked; None unless the operator has chosen one."""

    def progress(self, fraction: float, stage: str = "") -> None:
        """Tell people how far the job is: ``fraction`` from 0 to 1, ``stage`` in a few words."""

    def artifact(
        self,
        kind: str,
        content: Path | bytes,
        *,
        content_type: str,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish a file of this job. ``kind`` is unique among the job's artifacts (``thumbnail``, ``mp4-720``)."""

    def passages(self, passages: Iterable[Passage], *, language: str) -> None:
        """Have what is said in the recording found by search, once the job has succeeded.

        ``language`` is an ISO 639-1 code; words of a language that Postgres knows are found in all their forms. A
        second call replaces what the first one said.
        """

    def result(self, **values: Any) -> None:
        """Add JSON values to the job's result summary."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A named function that turns one object into artifacts and a result.

    ``accepts`` are content types (``image/*`` matches every image). ``version`` is part of the key of every stored
    step: raise it when a release must not reuse the steps of the one before. ``settings_schema`` is a JSON Schema of
    the settings a job may carry. ``max_run_seconds`` and ``max_stall_seconds`` (no progress, no step) end an attempt;
    None takes the worker's setting.
    """

    name: str
    accepts: tuple[str, ...]
    run: Callable[[Job], None]
    version: str = "1"
    settings_schema: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "additionalProperties": False}
    )
    max_run_seconds: int | None = None
    max_stall_seconds: int | None = None

    def __call__(self, job: Job) -> None:
        self.run(job)


def pipeline(
    name: str,
    *,
    accepts: tuple[str, ...],
    version: str = "1",
    settings_schema: Mapping[str, Any] | None = None,
    max_run_seconds: int | None = None,
    max_stall_seconds: int | None = None,
) -> Callable[[Callable[[Job], None]], Pipeline]:
    """Make a pipeline of a function; name it in the entry-point group ``spotmill.pipelines`` to have it found."""

    def decorate(run: Callable[[Job], None]) -> Pipeline:
        schema = settings_schema if settings_schema is not None else {"type": "object", "additionalProperties": False}
        return Pipeline(name, accepts, run, version, schema, max_run_seconds, max_stall_seconds)

    return decorate


def installed_pipelines() -> dict[str, Pipeline]:
    """Load every pipeline that an installed package offers, by name.

    Raises:
        TypeError: an entry point of the group is not a ``Pipeline``.
    """
    found: dict[str, Pipeline] = {}
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        loaded = entry.load()
        if not isinstance(loaded, Pipeline):
            raise TypeError(f"entry point {entry.value} of {ENTRY_POINT_GROUP} is not made by @pipeline")
        found[loaded.name] = loaded
    return found
