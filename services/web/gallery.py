"""Finished pictures, a page at a time, with the files to show of each."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from services.web.cursor import Cursor
from services.web.listing import API, Wanted, page_of_jobs
from services.web.shapes import Job
from services.web.views import Person, Picture
from shared.models import Artifact, JobStatus

_PIPELINE = "image"
#: What browsers can show.
_SHOWN = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})
#: How wide a picture is in the grid, and to look at, in pixels: the smallest file that is as wide, else the widest.
_SMALL, _LARGE = 320, 1600


@dataclass(frozen=True, slots=True)
class PictureList:
    """Pictures, newest first."""

    pictures: tuple[Picture, ...]
    next_cursor: str | None


def page_of_pictures(connection: Connection, person: Person, q: str, cursor: Cursor | None, most: int) -> PictureList:
    """Read one page of the pictures whose files are named like ``q``; those without a file that can be shown lack."""
    wanted = Wanted((JobStatus.SUCCEEDED,), _PIPELINE, q or None, None, cursor, most)
    page = page_of_jobs(connection, person, wanted)
    files = _files(connection, [job.id for job in page.jobs])
    pictures = tuple(_picture(job, files[job.id]) for job in page.jobs if job.id in files)
    return PictureList(pictures, page.next_cursor)


def _files(connection: Connection, jobs: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Any]]:
    """Read what can be shown of each job, the narrowest first."""
    rows = connection.execute(
        select(Artifact.id, Artifact.job_id, Artifact.details.label("details")).where(
            Artifact.job_id.in_(jobs), Artifact.content_type.in_(_SHOWN)
        )
    )
    found: dict[uuid.UUID, list[Any]] = {}
    for row in sorted(rows, key=lambda row: _width(row) or 0):
        found.setdefault(row.job_id, []).append(row)
    return found


def _picture(job: Job, files: Sequence[Any]) -> Picture:
    small, large = _fitting(files, _SMALL), _fitting(files, _LARGE)
    return Picture(
        job_id=job.id,
        filename=job.filename,
        small_url=f"{API}/artifacts/{small.id}",
        large_url=f"{API}/artifacts/{large.id}",
        width=_width(large),
        height=_number(large.details.get("height")),
    )


def _fitting(files: Sequence[Any], width: int) -> Any:
    return next((file for file in files if (_width(file) or 0) >= width), files[-1])


def _width(file: Any) -> int | None:
    return _number(file.details.get("width"))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
