"""A job's transcript with the names that people gave: read from the result bucket, shown, and written as files."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Literal, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, select

from services.web.backends import Backends
from services.web.problems import Problem, not_found
from services.web.stored import Stored, content
from services.web.transcript_shapes import JobTranscript, NamedSpeaker, SpokenParagraph, SpokenSegment
from shared import models, passages, speakers
from shared.models import JobStatus
from shared.transcript.analysis import Analysis
from shared.transcript.document import docx
from shared.transcript.paragraphs import paragraphs
from shared.transcript.schema import Transcript
from shared.transcript.subtitles import srt, vtt
from shared.transcript.text import txt
from shared.transcript.wording import called

Form = Literal["srt", "vtt", "txt", "docx"]
#: How many files that were written are kept: a player asks for its captions again and again.
_KEPT = 8
M = TypeVar("M", bound=BaseModel)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Found:
    """Where a job's transcript is, what its speakers are called, and where its analysis is, if there is one."""

    job_id: uuid.UUID
    filename: str
    transcript: Stored
    analysis: Stored | None
    names: tuple[tuple[str, str], ...]

    @property
    def stem(self) -> str:
        """The name of the recording without its ending, for files that are made of it."""
        return PurePosixPath(self.filename).stem


def find(connection: Connection, job_id: uuid.UUID) -> Found:
    """Look up what belongs to a job's transcript.

    Raises:
        Problem: 404, there is no such job, or none for this person; 409, it has no transcript (yet).
    """
    row = connection.execute(select(models.Job.object, models.Job.status).where(models.Job.id == job_id)).one_or_none()
    if row is None:
        raise not_found("job")
    artifact = models.Artifact
    kept = connection.execute(
        select(artifact.kind, artifact.object, artifact.generation, artifact.size_bytes).where(
            artifact.job_id == job_id, artifact.kind.in_(("transcript", "analysis"))
        )
    )
    stored = {row.kind: Stored(row.object, row.generation, row.size_bytes) for row in kept}
    if "transcript" not in stored:
        raise _none_yet(row.status)
    names = tuple(sorted(speakers.names(connection, job_id).items()))
    return Found(job_id, PurePosixPath(row.object).name, stored["transcript"], stored.get("analysis"), names)


def _none_yet(status: JobStatus) -> Problem:
    waits = status in (JobStatus.QUEUED, JobStatus.RUNNING)
    return Problem(409, "No transcript", "The job has none yet." if waits else "The job made none.")


def show(backends: Backends, found: Found) -> JobTranscript:
    """Read a transcript and its analysis, and say who speaks.

    Raises:
        Problem: 409, it is too large or of a kind that this release cannot read.
    """
    transcript = read(backends, found)
    return JobTranscript(
        job_id=found.job_id,
        filename=found.filename,
        duration=transcript.duration,
        language=transcript.language,
        language_probability=transcript.language_probability,
        task=transcript.task,
        model=transcript.model,
        speakers=speakers_of(transcript, dict(found.names)),
        paragraphs=[
            SpokenParagraph(start=p.start, end=p.end, speaker=p.speaker, first=p.first, last=p.last)
            for p in paragraphs(transcript)
        ],
        segments=[
            SpokenSegment.model_construct(**dict(segment), called=_called(segment.speaker, dict(found.names)))
            for segment in transcript.segments
        ],
        statistics=transcript.statistics,
        analysis=_analysis(backends, found),
    )


def read(backends: Backends, found: Found) -> Transcript:
    """Read a transcript from the result bucket.

    Raises:
        Problem: 409, it is too large or of a kind that this release cannot read.
    """
    if found.transcript.size_bytes > backends.settings.transcript_max_bytes:
        raise Problem(
            409, "Too long to be shown", "The transcript is longer than is shown here (SPOTMILL_TRANSCRIPT_MAX_BYTES)."
        )
    transcript = _checked(Transcript, backends, found.transcript)
    if transcript is None:
        raise Problem(409, "No transcript", "The job's transcript is of a kind that this release cannot read.")
    return transcript


def _analysis(backends: Backends, found: Found) -> Analysis | None:
    stored = found.analysis
    if stored is None or stored.size_bytes > backends.settings.transcript_max_bytes:
        return None
    return _checked(Analysis, backends, stored)


def _checked(kind: type[M], backends: Backends, stored: Stored) -> M | None:
    """Read JSON that a pipeline made, perhaps somebody's own."""
    try:
        return kind.model_validate_json(content(backends, stored))
    except ValidationError as error:
        log.warning("artifact.unreadable", object=stored.object, reason=str(error).splitlines()[0])
        return None


def write(backends: Backends, found: Found, form: Form) -> bytes:
    """Write a transcript as a file with the names of its speakers.

    Raises:
        Problem: 409, it is too large or of a kind that this release cannot read.
    """
    return _written(backends, found, form)


@lru_cache(maxsize=_KEPT)
def _written(backends: Backends, found: Found, form: Form) -> bytes:
    transcript, names = read(backends, found), dict(found.names)
    match form:
        case "srt":
            return srt(transcript, names).encode()
        case "vtt":
            return vtt(transcript, names).encode()
        case "txt":
            return txt(transcript, names).encode()
        case "docx":
            return docx(transcript, names, found.stem)


def rename(connection: Connection, job_id: uuid.UUID, label: str, name: str) -> list[NamedSpeaker]:
    """Call a speaker by a name, or by none; return all speakers as they are called now.

    Raises:
        Problem: 404, there is no such job or speaker, or none for this person; 409, nobody speaks in it (yet).
    """
    status = connection.scalar(select(models.Job.status).where(models.Job.id == job_id))
    if status is None:
        raise not_found("job")
    known = passages.labels(connection, job_id)
    if not known:
        raise Problem(409, "No speakers", _none_yet(status).detail)
    if not speakers.rename(connection, job_id, label, name):
        raise not_found("speaker")
    return _named(known, speakers.names(connection, job_id))


def _called(label: str | None, names: Mapping[str, str]) -> str | None:
    return called(label, names) if label else None


def speakers_of(transcript: Transcript, names: Mapping[str, str]) -> list[NamedSpeaker]:
    """Say what each speaker of a transcript is called."""
    return _named((segment.speaker for segment in transcript.segments if segment.speaker), names)


def _named(found: Iterable[str], names: Mapping[str, str]) -> list[NamedSpeaker]:
    """Say what each speaker is called, once, in the order in which they speak first."""
    return [
        NamedSpeaker(label=label, name=names.get(label), called=called(label, names)) for label in dict.fromkeys(found)
    ]
