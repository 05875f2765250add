"""An object generation no longer exists."""

import structlog

from services.dispatcher.backends import Backends
from shared import lifecycle
from shared.messages import StorageObject

log = structlog.get_logger()


def handle(backends: Backends, resource: StorageObject) -> None:
    """End the jobs that still wait for it; a running one finds out by itself."""
    with backends.engine.begin() as connection:
        ended = lifecycle.supersede_deleted(connection, resource.bucket, resource.name, resource.generation)
    for job in ended:
        log.info("job.superseded", job=str(job), reason="deleted")
