"""Another system asks for objects to be processed: our own message, or a notification of Cloud Storage."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import structlog
from google.api_core.exceptions import ClientError, Forbidden, NotFound
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY

from services.dispatcher.backends import Backends
from services.dispatcher.intake import resource_of, take_in
from services.dispatcher.recording import Arrival
from shared import lifecycle
from shared.messages import IngestMessage, MalformedError, StorageObject
from shared.objects import ObjectName, parse_uri
from shared.routing import UNKNOWN_TYPE

#: Seconds that Cloud Storage may take to describe an object: one try, and all of them.
_TRY_SECONDS = 10
_RETRY = DEFAULT_RETRY.with_timeout(20)
#: Objects of one message that are asked for side by side.
_SIDE_BY_SIDE = 8
#: Refusals that say nothing about the object: they may be over in a moment.
_FOR_NOW = {401, 408, 429}

log = structlog.get_logger()


def handle(backends: Backends, data: bytes, attributes: Mapping[str, str]) -> None:
    """Record and publish the objects that the message names.

    Each is taken or refused by itself. One that is not there or may not be read becomes a failed job that says so, for
    the people who wait for it; a wrong URI or bucket is logged. While Cloud Storage is away the others are recorded
    all the same, and the message comes again.

    Raises:
        MalformedError: the message is of neither form.
    """
    if attributes.get("payloadFormat") == "JSON_API_V1":
        if attributes.get("eventType") == "OBJECT_FINALIZE":
            resource = StorageObject.parse(data)
            _check_bucket(backends, resource.bucket)
            take_in(backends, [Arrival(resource)])
        return
    message = IngestMessage.parse(data)
    targets, wrong = _targets(backends, message)
    described = _described(backends, message, targets)
    arrivals = [arrival for arrival in described if isinstance(arrival, Arrival)]
    away = [error for error in described if isinstance(error, Exception)]
    recorded = take_in(backends, arrivals)
    absent = sum(arrival.problem is not None for arrival in arrivals)
    log.info("ingest.done", recorded=len(recorded) - absent, refused=wrong + absent, away=len(away))
    if away:
        raise away[0]


def _targets(backends: Backends, message: IngestMessage) -> tuple[list[ObjectName], int]:
    """Read the URIs, each once; what is wrong with one is logged and counted, and is not the others' concern."""
    targets: dict[ObjectName, None] = {}
    wrong = 0
    for uri in message.named:
        try:
            named = parse_uri(uri)
            _check_bucket(backends, named.bucket)
        except (ValueError, MalformedError) as error:
            log.warning("ingest.refused", uri=uri, reason=str(error))
            wrong += 1
        else:
            targets[ObjectName(named.bucket, named.name, message.generation or named.generation)] = None
    return list(targets), wrong


def _check_bucket(backends: Backends, bucket: str) -> None:
    allowed = {backends.settings.upload_bucket, *backends.settings.allowed_buckets}
    if bucket not in allowed:
        raise MalformedError(f"bucket {bucket} is not among SPOTMILL_ALLOWED_BUCKETS")


def _described(
    backends: Backends, message: IngestMessage, targets: Sequence[ObjectName]
) -> Sequence[Arrival | Exception | None]:
    def described(target: ObjectName) -> Arrival | Exception | None:
        try:
            return _arrival(backends, message, target)
        except Exception as error:  # noqa: BLE001 - raised when the others have been recorded
            return error

    if len(targets) == 1:
        return [described(targets[0])]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        return list(pool.map(described, targets))


def _arrival(backends: Backends, message: IngestMessage, target: ObjectName) -> Arrival | None:
    """Ask Cloud Storage about one object; None if it is gone, but was taken in before.

    Raises what Cloud Storage raises while it is away.
    """
    blob = Blob(target.name, backends.storage.bucket(target.bucket), generation=target.generation)
    try:
        blob.reload(timeout=_TRY_SECONDS, retry=_RETRY)
        resource, problem = resource_of(blob), None
    except ClientError as error:
        if error.code in _FOR_NOW:
            raise
        if isinstance(error, NotFound) and _taken_before(backends, target):
            # A message may come twice, and people delete what has been processed.
            log.info("ingest.repeated", uri=target.uri, generation=target.generation)
            return None
        resource, problem = _absent(target), _why(target, error)
        log.warning("ingest.refused", uri=target.uri, generation=target.generation, reason=problem)
    return Arrival(resource, message.pipeline, message.owner, message.settings, problem)


def _taken_before(backends: Backends, target: ObjectName) -> bool:
    with backends.engine.connect() as connection:
        return lifecycle.recorded(connection, target)


def _why(target: ObjectName, error: ClientError) -> str:
    if isinstance(error, NotFound):
        which = f" in generation {target.generation}" if target.generation else ""
        return f"There is no object {target.uri}{which}."
    if isinstance(error, Forbidden):
        return (
            f"Spotmill may not read {target.uri}. Grant it Storage Object Viewer on the bucket and announce it again."
        )
    return f"Cloud Storage refused {target.uri}: {error.message}"


def _absent(target: ObjectName) -> StorageObject:
    """Stand in for an object that cannot be read. Generation 0 is older than any, so it supersedes nothing."""
    return StorageObject.model_construct(
        bucket=target.bucket,
        name=target.name,
        generation=0,
        size_bytes=0,
        content_type=UNKNOWN_TYPE,
        crc32c=None,
        metadata={},
    )
