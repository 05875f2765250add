"""A page of jobs, newest first, by key: every page costs the same, however many jobs there are."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    ColumnElement,
    Connection,
    DateTime,
    Select,
    Text,
    Uuid,
    case,
    cast,
    column,
    exists,
    func,
    literal,
    literal_column,
    null,
    select,
    text,
    tuple_,
    union_all,
)

from services.web.cursor import Cursor
from services.web.shapes import Job, JobPage
from services.web.views import Person
from shared.models import Artifact, JobStatus, Pause, Run
from shared.models import Job as JobRow
from shared.objects import ObjectName

#: Where the API's addresses begin.
API = "/api/v1"
_JOBS = TypeAdapter(list[Job])
_jobs = JobRow.__table__.c
_NEWEST = (_jobs.created_at.desc(), _jobs.id.desc())
#: As the indexes have it: a job without an owner is everybody's.
_owner = case((_jobs.owner.is_(None), literal_column("''")), else_=_jobs.owner)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs: in one of these states (none: all), of a pipeline, an upload, named like ``q``, after a cursor."""

    status: tuple[JobStatus, ...] = ()
    pipeline: str | None = None
    q: str | None = None
    upload: ObjectName | None = None
    cursor: Cursor | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class RoutedJob:
    """A job's place in the listing, and what its pipeline is chosen by."""

    id: uuid.UUID
    created_at: datetime
    pipeline: str
    content_type: str
    object: str


def _older_than(cursor: Cursor) -> ColumnElement[bool]:
    return tuple_(_jobs.created_at, _jobs.id) < tuple_(
        literal(cursor.created_at, DateTime(timezone=True)), literal(cursor.id, Uuid())
    )


def _walks(person: Person, wanted: Wanted) -> list[Select[Any]]:
    """Make one short walk along one index for each owner and state: a single walk would read past other rows."""
    owners: list[ColumnElement[bool]] = [] if person.admin else [_owner == person.email, _owner == literal_column("''")]
    states = [_jobs.status == status for status in wanted.status]
    rules: list[ColumnElement[bool]] = []
    if wanted.pipeline:
        rules.append(_jobs.pipeline == wanted.pipeline)
    if wanted.upload:
        rules += (_jobs.bucket == wanted.upload.bucket, _jobs.object == wanted.upload.name)
    if wanted.cursor:
        rules.append(_older_than(wanted.cursor))
    walk = select(JobRow.__table__).where(*rules).order_by(*_NEWEST).limit(wanted.limit + 1)
    by_owner = [walk.where(owner) for owner in owners] or [walk]
    return [one.where(state) for one in by_owner for state in states] or by_owner


_FOUND = text("""
    SELECT id FROM search_jobs(:q, string_to_array(:status, ','), :pipeline, CAST(:created_at AS timestamptz),
                               CAST(:id AS uuid), CAST(:most AS int))""").columns(column("id", Uuid()))


def _found(wanted: Wanted) -> Select[Any]:
    """Search by file name and pipeline in the database's own function.

    Under row-level security no trigram index could be used, and the walks of a pipeline are too many to be put together
    here for each page.
    """
    cursor = wanted.cursor
    found = _FOUND.bindparams(
        q=wanted.q or "",
        status=",".join(wanted.status) or None,
        pipeline=wanted.pipeline,
        created_at=cursor.created_at.isoformat() if cursor else None,
        id=str(cursor.id) if cursor else None,
        most=wanted.limit + 1,
    ).subquery()
    return select(JobRow.__table__).join(found, found.c.id == _jobs.id)


def _waiting_for(status: Any, not_before: Any) -> ColumnElement[str | None]:
    a_run = exists().where(Run.ended_at.is_(None), Run.stopped_at.is_(None))
    return case(
        (status != JobStatus.QUEUED, null()),
        (exists().where(Pause.resumed_at.is_(None)), literal("the queue to be resumed")),
        (~a_run, literal("a run")),
        (not_before > func.now(), literal("its next try")),
        else_=literal("a worker"),
    )


def as_json(rows: Any, kind: type[Job], most: int) -> Select[str]:
    """Have Postgres write rows of jobs in the form of the API: it does so ten times as fast as we could."""
    page = rows.subquery("page").c
    thumbnail = select(Artifact.id).where(Artifact.job_id == page.id, Artifact.kind == "thumbnail").scalar_subquery()
    made = {
        "generation": cast(page.generation, Text),
        "filename": func.regexp_replace(page.object, literal_column("'^.*/'"), literal_column("''")),
        "thumbnail_url": literal(f"{API}/artifacts/") + cast(thumbnail, Text),
        "waiting_for": _waiting_for(page.status, page.not_before),
    }
    words: list[ColumnElement[Any]] = []
    for name in kind.model_fields:
        if name in made or name in page:
            words += (literal_column(f"'{name}'"), made[name] if name in made else page[name])
    written = cast(func.json_build_object(*words), Text)
    return select(written).order_by(page.created_at.desc(), page.id.desc()).limit(most)


def _rows(person: Person, wanted: Wanted) -> Any:
    if (wanted.q or wanted.pipeline) and not wanted.upload:
        return _found(wanted)
    walks = _walks(person, wanted)
    return union_all(*(walk.subquery().select() for walk in walks)) if len(walks) > 1 else walks[0]


def routed_jobs(connection: Connection, person: Person, wanted: Wanted) -> list[RoutedJob]:
    """Read what chose the pipelines of one page of jobs."""
    page = _rows(person, wanted).subquery("page").c
    columns = (page.id, page.created_at, page.pipeline, page.content_type, page.object)
    rows = connection.execute(select(*columns).order_by(page.created_at.desc(), page.id.desc()).limit(wanted.limit))
    return [RoutedJob(*row) for row in rows]


def page_of_jobs(connection: Connection, person: Person, wanted: Wanted) -> JobPage:
    """Read one page in one query."""
    found = connection.execute(as_json(_rows(person, wanted), Job, wanted.limit + 1)).scalars()
    jobs = _JOBS.validate_json("[" + ",".join(found) + "]")
    shown = jobs[: wanted.limit]
    more = len(jobs) > wanted.limit
    return JobPage(jobs=shown, next_cursor=Cursor(shown[-1].created_at, shown[-1].id).encode() if more else None)
