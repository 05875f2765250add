"""What a file is that neither its content type nor its name tells: its first bytes do."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import filetype
import structlog
from google.api_core.exceptions import Forbidden, NotFound, RequestRangeNotSatisfiable
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY

from services.dispatcher.backends import Backends
from shared import lifecycle
from shared.messages import StorageObject
from shared.objects import ObjectName
from shared.routing import UNKNOWN_TYPE, content_type_of

#: Bytes that are enough for every format that a pipeline reads.
_HEAD_BYTES = 4096
#: Seconds that Cloud Storage may take to send them: one try, and all of them.
_TRY_SECONDS = 10
_RETRY = DEFAULT_RETRY.with_timeout(20)
#: Objects that are looked into side by side.
_SIDE_BY_SIDE = 8

log = structlog.get_logger()


def recognise(backends: Backends, resources: Sequence[StorageObject]) -> list[StorageObject]:
    """Give each object of unknown type the type that its first bytes show, or that its job has already.

    Raises whatever Cloud Storage raises while it is away: the announcement must come again.
    """
    unknown = [r for r in resources if content_type_of(r.content_type, r.name) == UNKNOWN_TYPE]
    if not unknown:
        return list(resources)
    names = [ObjectName(r.bucket, r.name, r.generation) for r in unknown]
    with backends.engine.begin() as connection:
        recorded = lifecycle.content_types(connection, names)
    fresh = [name for name in names if name not in recorded]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        seen = dict(zip(fresh, pool.map(lambda name: _look(backends, name), fresh), strict=True))
    types = recorded | seen
    return [
        r.model_copy(update={"content_type": types.get(ObjectName(r.bucket, r.name, r.generation), r.content_type)})
        for r in resources
    ]


def _look(backends: Backends, name: ObjectName) -> str:
    blob = Blob(name.name, backends.storage.bucket(name.bucket), generation=name.generation)
    try:
        head: bytes = blob.download_as_bytes(
            end=_HEAD_BYTES - 1, timeout=_TRY_SECONDS, retry=_RETRY, checksum=None, raw_download=True
        )
    except (NotFound, Forbidden, RequestRangeNotSatisfiable) as error:  # gone, not ours to read, empty
        log.info("object.not_looked_into", uri=name.uri, reason=str(error))
        return UNKNOWN_TYPE
    return str(filetype.guess_mime(head) or UNKNOWN_TYPE)
