"""Another system asks for an object to be processed: our own message, or a notification of Cloud Storage."""

from collections.abc import Mapping

import structlog
from google.api_core.exceptions import Forbidden, NotFound
from google.cloud.storage import Blob

from services.dispatcher.backends import Backends
from services.dispatcher.intake import resource_of, take_in
from services.dispatcher.recording import Arrival
from shared.messages import IngestMessage, MalformedError, StorageObject
from shared.objects import ObjectName

#: Seconds that Cloud Storage may take to describe an object.
_DEADLINE_SECONDS = 20

log = structlog.get_logger()


def handle(backends: Backends, data: bytes, attributes: Mapping[str, str]) -> None:
    """Record and publish the object that the message names.

    Raises:
        MalformedError: the message is of neither form, its bucket is not allowed, or there is no such object.
    """
    if attributes.get("payloadFormat") == "JSON_API_V1":
        if attributes.get("eventType") == "OBJECT_FINALIZE":
            resource = StorageObject.parse(data)
            _check_bucket(backends, resource.bucket)
            take_in(backends, [Arrival(resource)])
        return
    message = IngestMessage.parse(data)
    resource = describe(backends, message.target)
    take_in(backends, [Arrival(resource, message.pipeline, message.owner, message.settings)])


def _check_bucket(backends: Backends, bucket: str) -> None:
    allowed = {backends.settings.upload_bucket, *backends.settings.allowed_buckets}
    if bucket not in allowed:
        raise MalformedError(f"bucket {bucket} is not among SPOTMILL_ALLOWED_BUCKETS")


def describe(backends: Backends, target: ObjectName) -> StorageObject:
    """Ask Cloud Storage for the object's resource.

    Raises:
        MalformedError: its bucket is not allowed, it does not exist (any more), or may not be read.
    """
    _check_bucket(backends, target.bucket)
    blob = Blob(target.name, backends.storage.bucket(target.bucket), generation=target.generation)
    try:
        blob.reload(timeout=_DEADLINE_SECONDS)
    except NotFound:
        raise MalformedError(f"there is no object {target.uri} (generation {target.generation or 'any'})") from None
    except Forbidden as error:
        raise MalformedError(f"{target.uri} may not be read: {error.message}") from None
    return resource_of(blob)
