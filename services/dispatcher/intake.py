"""From objects to recorded and published jobs; the one way in, whoever announces the object."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jsonschema
import structlog
from google.cloud.storage import Blob

from services.dispatcher.backends import Backends
from services.dispatcher.recognition import recognise
from shared import lifecycle
from shared.jobs import NewJob, Recorded
from shared.messages import MalformedError, StorageObject
from shared.objects import is_ignored
from shared.routing import UNKNOWN_TYPE, Offer, installed_offers, route

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Arrival:
    """An object to process; what is None is taken from the object's own metadata."""

    resource: StorageObject
    pipeline: str | None = None
    owner: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


def resource_of(blob: Blob) -> StorageObject:
    """Turn what the storage client read into the form that events have."""
    return StorageObject(
        bucket=blob.bucket.name,
        name=blob.name,
        generation=blob.generation,
        size_bytes=blob.size,
        content_type=blob.content_type or UNKNOWN_TYPE,
        crc32c=blob.crc32c,
        metadata=blob.metadata or {},
    )


def to_job(arrival: Arrival, offers: Sequence[Offer]) -> NewJob:
    """Choose the pipeline and check the settings; what cannot be processed becomes a job that says why."""
    resource = arrival.resource
    settings: dict[str, Any] = {}
    problem: str | None
    try:
        settings = arrival.settings or resource.settings
    except MalformedError as malformed:
        problem = str(malformed)
    else:
        problem = None if resource.size_bytes else "The file is empty."
    pipeline, unroutable = route(
        offers, asked=arrival.pipeline or resource.pipeline, content_type=resource.content_type, name=resource.name
    )
    offer = next((o for o in offers if o.name == pipeline), None)
    if offer is not None and problem is None:
        try:
            jsonschema.validate(settings, offer.settings_schema)
        except jsonschema.ValidationError as invalid:
            problem = f"The settings for {pipeline} are wrong: {invalid.json_path}: {invalid.message}."
    return NewJob(
        bucket=resource.bucket,
        object=resource.name,
        generation=resource.generation,
        pipeline=pipeline,
        size_bytes=resource.size_bytes,
        content_type=resource.content_type,
        crc32c=resource.crc32c,
        owner=(arrival.owner or resource.owner or "").lower() or None,
        settings=settings,
        error=problem or unroutable,
    )


def take_in(backends: Backends, arrivals: Sequence[Arrival]) -> list[Recorded]:
    """Record objects exactly once each and publish those that wait; commit before publishing.

    Objects that are no uploads (folder markers, unfinished names, results) are left out. Raises whatever the database
    or Pub/Sub raise: the announcement must come again.
    """
    wanted = [
        a for a in arrivals if a.resource.bucket != backends.settings.result_bucket and not is_ignored(a.resource.name)
    ]
    if not wanted:
        return []
    resources = recognise(backends, [a.resource for a in wanted])
    wanted = [replace(a, resource=resource) for a, resource in zip(wanted, resources, strict=True)]
    with backends.engine.begin() as connection:
        offers = installed_offers(connection)
        recorded = lifecycle.record(connection, [to_job(a, offers) for a in wanted])
    for job in recorded:
        log.info("job.recorded", job=str(job.id), status=job.status.value, new=job.new)
    backends.publish([job.pending for job in recorded if job.pending is not None])
    return recorded
