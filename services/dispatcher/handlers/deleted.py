"""An object generation no longer exists."""

import structlog

from services.dispatcher.backends import Backends
from services.dispatcher.recognition import recognise
from services.dispatcher.recording import Arrival, to_job
from shared import lifecycle
from shared.messages import StorageObject
from shared.objects import ObjectName, is_ignored
from shared.routing import installed_offers

log = structlog.get_logger()


def handle(backends: Backends, resource: StorageObject) -> None:
    """End the jobs that still wait for it; a running one finds out by itself.

    Events overtake each other: of an object that nobody has announced yet, the job is recorded and ended at once, so
    that the announcement finds it and no VM starts for a file that is gone.
    """
    if resource.bucket == backends.settings.result_bucket or is_ignored(resource.name):
        return
    name = ObjectName(resource.bucket, resource.name, resource.generation)
    with backends.engine.begin() as connection:
        known = lifecycle.content_types(connection, [name])
    early = [] if known else recognise(backends, [Arrival(resource)])
    with backends.engine.begin() as connection:
        lifecycle.record(connection, [to_job(arrival, installed_offers(connection)) for arrival in early])
        ended = lifecycle.supersede_deleted(connection, resource.bucket, resource.name, resource.generation)
    for job in ended:
        log.info("job.superseded", job=str(job), reason="deleted", early=bool(early))
