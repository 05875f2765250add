"""The one way in for objects, whoever announces them."""

from collections.abc import Sequence

import structlog
from google.cloud.storage import Blob

from services.dispatcher.backends import Backends
from services.dispatcher.recognition import recognise
from services.dispatcher.recording import Arrival
from shared.jobs import Recorded
from shared.messages import StorageObject
from shared.objects import is_ignored
from shared.routing import UNKNOWN_TYPE

log = structlog.get_logger()


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


def take_in(backends: Backends, arrivals: Sequence[Arrival]) -> list[Recorded]:
    """Record objects exactly once each and publish those that wait; commit before publishing.

    Objects that are no uploads (folder markers, unfinished names, results) are left out. What many threads take in at
    the same time shares its transactions. Raises whatever the database or Pub/Sub raise: the announcement must come
    again.

    Raises:
        MalformedError: Postgres cannot hold what the announcement says.
    """
    wanted = [
        a for a in arrivals if a.resource.bucket != backends.settings.result_bucket and not is_ignored(a.resource.name)
    ]
    if not wanted:
        return []
    wanted = recognise(backends, wanted)
    recorded = backends.intake.submit(wanted)
    for job, arrival in zip(recorded, wanted, strict=True):
        generation = arrival.resource.generation  # tells the object, whose name may be somebody's secret
        log.info("job.recorded", job=str(job.id), status=job.status.value, new=job.new, generation=str(generation))
    return recorded
