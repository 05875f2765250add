"""Search for what was said, a page at a time."""

import base64
import json
import uuid
from datetime import UTC, datetime
from pathlib import PurePosixPath

from sqlalchemy import Connection

from services.web.problems import Problem
from services.web.transcript_shapes import ExcerptPart, SearchHit, SearchPage
from shared import passages
from shared.passages import Hit, Place
from shared.transcript.wording import called

_LARGEST = 2**63 - 1


def page_of_hits(connection: Connection, q: str, cursor: str, most: int) -> SearchPage:
    """Read one page of the passages that have these words.

    Raises:
        Problem: 400, the cursor is none of ours.
    """
    after = _decode(cursor) if cursor else None
    hits = passages.search(connection, q, after=after, most=most + 1)
    shown = hits[:most]
    more = len(hits) > most
    return SearchPage(hits=[_shape(hit) for hit in shown], next_cursor=_encode(shown[-1].place) if more else None)


def _shape(hit: Hit) -> SearchHit:
    names = {hit.speaker: hit.name} if hit.speaker and hit.name else {}
    return SearchHit(
        job_id=hit.place.job_id,
        filename=PurePosixPath(hit.object).name,
        content_type=hit.content_type,
        start=hit.start_seconds,
        end=hit.end_seconds,
        speaker=hit.speaker,
        called=called(hit.speaker, names) if hit.speaker else None,
        language=hit.language,
        excerpt=[ExcerptPart(text=part.text, found=part.found) for part in hit.excerpt],
        url=f"/jobs/{hit.place.job_id}#t={hit.start_seconds:g}",
    )


def _encode(place: Place) -> str:
    words = json.dumps([place.rank, place.created_at.isoformat(), str(place.job_id), place.ordinal])
    return base64.urlsafe_b64encode(words.encode()).decode().rstrip("=")


def _decode(word: str) -> Place:
    try:
        padded = word + "=" * (-len(word) % 4)
        rank, created_at, job, ordinal = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        place = Place(int(rank), datetime.fromisoformat(created_at).astimezone(UTC), uuid.UUID(job), int(ordinal))
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        place = None
    if place is None or not 0 <= place.rank <= _LARGEST or not 0 <= place.ordinal <= _LARGEST:
        raise Problem(400, "No such page", "The cursor is not one that this search gave out.")
    return place
