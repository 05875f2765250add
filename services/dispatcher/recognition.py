"""What a file is whose content type and name do not lead to a pipeline: its first bytes tell."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import filetype
import structlog
from google.api_core.exceptions import Forbidden, NotFound, RequestRangeNotSatisfiable
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY

from services.dispatcher.backends import Backends
from services.dispatcher.recording import Arrival
from shared import lifecycle
from shared.objects import ObjectName
from shared.routing import UNKNOWN_TYPE, Offer, content_type_of, installed_offers

#: Bytes that are enough for every format that a pipeline reads.
_HEAD_BYTES = 4096
#: Bytes from one packet of MPEG-TS to the next, and those before its sync byte 0x47: as broadcast (ISO/IEC 13818-1,
#: 2.4.3), with the time stamp of a Blu-ray disc or a camera (M2TS), with 16 bytes of error correction (DVB).
_TRANSPORT_PACKETS = ((188, 0), (192, 4), (204, 0))
#: Packets that are no chance: filetype knows nothing of MPEG-TS.
_FEWEST_PACKETS = 5
#: Seconds that Cloud Storage may take to send them: one try, and all of them.
_TRY_SECONDS = 10
_RETRY = DEFAULT_RETRY.with_timeout(20)
#: Objects that are looked into side by side.
_SIDE_BY_SIDE = 8

log = structlog.get_logger()


def recognise(backends: Backends, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Give each object of a type that is unknown, or that no pipeline accepts, the type that its first bytes show.

    One that has a job keeps the type of that. A type that was declared gives way only to one that a pipeline accepts.
    Raises whatever Cloud Storage raises while it is away: the announcement must come again.
    """
    if not any(_is_open(a, backends.offers) for a in arrivals):
        return list(arrivals)
    with backends.engine.begin() as connection:
        offers = backends.offers = installed_offers(connection)
        names = [_name(a) for a in arrivals if _is_open(a, offers)]
        types = dict(lifecycle.content_types(connection, names))
    fresh = [name for name in names if name not in types]
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        types.update(zip(fresh, pool.map(lambda name: _look(backends, name), fresh), strict=True))
    return [_typed(a, types[_name(a)], offers) if _is_open(a, offers) else a for a in arrivals]


def _is_open(arrival: Arrival, offers: Sequence[Offer]) -> bool:
    """Tell whether the first bytes are needed to know what becomes of an object."""
    if arrival.problem is not None:
        return False
    kind = _declared(arrival)
    if kind == UNKNOWN_TYPE:
        return True
    return not (arrival.pipeline or arrival.resource.pipeline or _is_accepted(kind, offers))


def _is_accepted(kind: str, offers: Sequence[Offer]) -> bool:
    return any(offer.takes(kind) for offer in offers)


def _typed(arrival: Arrival, kind: str, offers: Sequence[Offer]) -> Arrival:
    if _declared(arrival) != UNKNOWN_TYPE and not _is_accepted(kind, offers):
        return arrival
    return replace(arrival, resource=arrival.resource.model_copy(update={"content_type": kind}))


def _declared(arrival: Arrival) -> str:
    return content_type_of(arrival.resource.content_type, arrival.resource.name)


def _name(arrival: Arrival) -> ObjectName:
    return ObjectName(arrival.resource.bucket, arrival.resource.name, arrival.resource.generation)


def _look(backends: Backends, name: ObjectName) -> str:
    blob = Blob(name.name, backends.storage.bucket(name.bucket), generation=name.generation)
    try:
        head: bytes = blob.download_as_bytes(
            end=_HEAD_BYTES - 1, timeout=_TRY_SECONDS, retry=_RETRY, checksum=None, raw_download=True
        )
    except (NotFound, Forbidden, RequestRangeNotSatisfiable) as error:  # gone, not ours to read, empty
        log.info("object.not_looked_into", uri=name.uri, reason=str(error))
        return UNKNOWN_TYPE
    return type_shown(head)


def type_shown(head: bytes) -> str:
    """Return the content type that the first bytes of a file show."""
    if any(_is_packets(head[prefix::size]) for size, prefix in _TRANSPORT_PACKETS):
        return "video/mp2t"
    return str(filetype.guess_mime(head) or UNKNOWN_TYPE)


def _is_packets(starts: bytes) -> bool:
    return len(starts) >= _FEWEST_PACKETS and not starts.strip(b"\x47")
