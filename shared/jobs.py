"""What callers hand to the job lifecycle and get back from it. Sizes are bytes, durations seconds."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shared.models import JobStatus


@dataclass(frozen=True, slots=True)
class NewJob:
    """An object that somebody wants processed. ``error`` records it as failed at once (nothing can process it)."""

    bucket: str
    object: str
    generation: int
    pipeline: str
    size_bytes: int
    content_type: str
    crc32c: str | None = None
    owner: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A queued job that nobody has published since it entered the queue at ``queued_at``."""

    id: uuid.UUID
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """A job as it stands after ``record``; ``new`` is False if it had been there before."""

    id: uuid.UUID
    status: JobStatus
    queued_at: datetime
    published_at: datetime | None
    new: bool

    @property
    def pending(self) -> Pending | None:
        """What to publish, if anything."""
        if self.status is JobStatus.QUEUED and self.published_at is None:
            return Pending(self.id, self.queued_at)
        return None


@dataclass(frozen=True, slots=True)
class Hold:
    """A job and the attempt under which a worker holds it."""

    id: uuid.UUID
    attempt: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that a worker has just won, with all it needs to run it."""

    id: uuid.UUID
    attempt: int
    bucket: str
    object: str
    generation: int
    pipeline: str
    size_bytes: int
    content_type: str
    crc32c: str | None
    owner: str | None
    settings: dict[str, Any]
    failures: int
    waited_seconds: float  #: from when it was due, or its lease had run out, to this claim

    @property
    def hold(self) -> Hold:
        """The fencing token of this claim."""
        return Hold(self.id, self.attempt)


@dataclass(frozen=True, slots=True)
class Renewal:
    """Progress (0..1) and stage to write with the lease; ``steps_stored`` and ``saved_seconds`` are totals so far."""

    id: uuid.UUID
    attempt: int
    progress: float
    stage: str
    steps_stored: int = 0
    saved_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NewArtifact:
    """A file that is uploaded and verified, about to be published by ``commit``."""

    kind: str
    bucket: str
    object: str
    generation: int
    content_type: str
    size_bytes: int
    crc32c: str
    filename: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NewPassage:
    """Words of a recording that people shall find again, from second ``start`` to second ``end``.

    ``speaker`` is the label of who says them, ``language`` is ISO 639-1 and tells how the words are searched. Floats
    are finite and no text holds what Postgres cannot (``shared.storable.plain``).
    """

    start: float
    end: float
    text: str
    speaker: str | None
    language: str


@dataclass(frozen=True, slots=True)
class Completion:
    """The whole outcome of a successful attempt."""

    id: uuid.UUID
    attempt: int
    result: dict[str, Any]
    artifacts: Sequence[NewArtifact] = ()
    steps_stored: int = 0
    saved_seconds: float = 0.0
    passages: Sequence[NewPassage] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed. ``permanent`` means that trying again cannot help."""

    id: uuid.UUID
    attempt: int
    error: str
    permanent: bool


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a failed job is tried again: ``base`` · 2ⁿ seconds with jitter, ``longest`` at most, ``failures`` times."""

    base_seconds: float = 10
    longest_seconds: float = 600
    failures: int = 5
