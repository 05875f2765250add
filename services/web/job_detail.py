"""All there is to know about one job."""

import json
import uuid
from pathlib import PurePosixPath

from sqlalchemy import Connection, select

from services.web.links import Links, Target
from services.web.listing import as_json
from services.web.problems import not_found
from services.web.shapes import Artifact, Attempt, JobDetail
from shared import models
from shared.models import JobStatus

#: From which states a person may do what (as ``shared.lifecycle`` has it).
RETRIED = frozenset({JobStatus.FAILED, JobStatus.CANCELLED})
CANCELLED = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})


def read_job(connection: Connection, links: Links, job_id: uuid.UUID) -> JobDetail:
    """Read a job with its attempts and artifacts.

    Raises:
        Problem: 404, there is none that this person may see.
    """
    job = models.Job.__table__
    row = connection.execute(as_json(select(job).where(job.c.id == job_id), JobDetail, 1)).scalar_one_or_none()
    if row is None:
        raise not_found("job")
    attempts = connection.execute(
        select(models.Attempt.__table__).where(models.Attempt.job_id == job_id).order_by(models.Attempt.attempt.desc())
    )
    artifacts = connection.execute(
        select(models.Artifact.__table__).where(models.Artifact.job_id == job_id).order_by(models.Artifact.kind)
    )
    return JobDetail.model_validate(
        json.loads(row)
        | {
            "attempts": [Attempt.model_validate(dict(a._mapping)) for a in attempts],  # noqa: SLF001 - its public name
            "artifacts": [
                Artifact(
                    id=a.id,
                    kind=a.kind,
                    filename=a.filename,
                    content_type=a.content_type,
                    size_bytes=a.size_bytes,
                    metadata=a.metadata,
                    url=links.to(Target(a.bucket, a.object, a.generation, a.content_type, a.filename)),
                    created_at=a.created_at,
                )
                for a in artifacts
            ],
        }
    )


def read_artifact(connection: Connection, artifact_id: uuid.UUID, *, attachment: bool) -> Target:
    """Find the object behind an artifact.

    Raises:
        Problem: 404, there is none that this person may see.
    """
    artifact = models.Artifact
    row = connection.execute(
        select(
            artifact.bucket,
            artifact.object,
            artifact.generation,
            artifact.content_type,
            artifact.filename,
            models.Job.object.label("source"),
        )
        .join(models.Job, models.Job.id == artifact.job_id)
        .where(artifact.id == artifact_id)
    ).one_or_none()
    if row is None:
        raise not_found("file")
    filename = _saved_as(row.source, row.filename) if attachment else row.filename
    return Target(row.bucket, row.object, row.generation, row.content_type, filename, attachment)


def _saved_as(source: str, filename: str) -> str:
    """Name a file in the download folder after the file that it was made of: all thumbnails are ``thumbnail.jpg``."""
    return f"{PurePosixPath(source).stem}-{filename}"
