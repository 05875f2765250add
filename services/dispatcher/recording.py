"""From arrivals to recorded and published jobs: the SQL of the intake, for as many callers at once as there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared import lifecycle
from shared.complaints import complaint
from shared.database import refused
from shared.jobs import NewJob, Pending, Recorded
from shared.messages import MalformedError, StorageObject
from shared.objects import SETTINGS_METADATA
from shared.routing import Offer, installed_offers, route
from shared.storable import fault_of, plain

#: Most characters of a pipeline's name, whoever asks for it, and of the reason why a file cannot be processed.
_PIPELINE_CHARACTERS = 100
_ERROR_CHARACTERS = 2000
#: Most characters of an address: 64 before the @ and 255 after it (RFC 5321, section 4.5.3.1).
_OWNER_CHARACTERS = 320


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object to process; what is None is taken from the object's own metadata."""

    resource: StorageObject
    pipeline: str | None = None
    owner: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    #: Why it cannot be processed, if that is known already.
    problem: str | None = None


def to_job(arrival: Arrival, offers: Sequence[Offer]) -> NewJob:
    """Choose the pipeline and check the settings; what cannot be processed becomes a job that says why."""
    resource = arrival.resource
    settings: dict[str, Any] = {}
    problem = arrival.problem
    try:
        settings = arrival.settings or resource.settings
    except MalformedError as malformed:
        settings, problem = _unreadable(resource.metadata[SETTINGS_METADATA]), problem or str(malformed)
    if (fault := fault_of(settings)) is not None:
        problem = problem or f"The settings of this file cannot be used: {fault}."
        settings = _unreadable(repr(settings))
    if problem is None and not resource.size_bytes:
        problem = "The file is empty."
    pipeline, unroutable = route(
        offers, asked=arrival.pipeline or resource.pipeline, content_type=resource.content_type, name=resource.name
    )
    offer = next((o for o in offers if o.name == pipeline), None)
    if offer is not None and problem is None:
        wrong = complaint(settings, offer.settings_schema)
        problem = f"The settings do not fit the {pipeline} pipeline: {wrong}" if wrong is not None else None
    return NewJob(
        bucket=resource.bucket,
        object=resource.name,
        generation=resource.generation,
        pipeline=plain(pipeline)[:_PIPELINE_CHARACTERS],
        size_bytes=resource.size_bytes,
        content_type=plain(resource.content_type),
        crc32c=resource.crc32c,
        owner=plain(arrival.owner or resource.owner or "").lower()[:_OWNER_CHARACTERS] or None,
        settings=settings,
        error=plain(problem or unroutable or "")[:_ERROR_CHARACTERS] or None,
    )


def _unreadable(said: str) -> dict[str, Any]:
    """Keep what was said, so that a retry does not process the file with settings that nobody asked for."""
    return {"unreadable": plain(said)[:_ERROR_CHARACTERS]}


def record_and_publish(
    engine: Engine, publish: Callable[[list[Pending]], None], groups: Sequence[list[Arrival]]
) -> list[list[Recorded] | Exception]:
    """Take in what several callers want, in one go; return for each what became of it."""
    try:
        recorded = iter(_record(engine, publish, [arrival for group in groups for arrival in group]))
    except SQLAlchemyError as error:
        if not refused(error):
            raise
        if len(groups) == 1:
            return [
                MalformedError(f"Postgres cannot hold it: {error.orig if isinstance(error, DBAPIError) else error}")
            ]
        # One of them is at fault; the others must not come again for a day because of it.
        return [outcome for group in groups for outcome in record_and_publish(engine, publish, [group])]
    shares: list[list[Recorded] | Exception] = [list(islice(recorded, len(group))) for group in groups]
    return shares


def _record(engine: Engine, publish: Callable[[list[Pending]], None], arrivals: Sequence[Arrival]) -> list[Recorded]:
    with engine.begin() as connection:
        offers = installed_offers(connection)
        recorded = lifecycle.record(connection, [to_job(a, offers) for a in arrivals])
    pending = {job.id: job.pending for job in recorded if job.pending is not None}
    publish(list(pending.values()))
    return recorded
