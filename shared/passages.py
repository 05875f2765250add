"""What people said, found again: full-text search over passages that a person may see, in each passage's language."""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, groupby

from sqlalchemy import Connection, text

#: What Postgres sets around words that are found. ``searchable`` (migration 0007) lets neither be part of a text.
_MARK, _UNMARK = "\x02", "\x03"
#: Sets letters apart that are written without spaces, for Postgres' eyes alone.
_APART = "\x1f"
#: Letters that it sets apart.
_RUN = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u30ff\u31f0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff]+"
)
#: How much of a passage is shown before and after what was found, in characters.
_BEFORE, _AFTER = 80, 240


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hit stands among all: the best first, of equals the newer job's, then in the order of the recording."""

    rank: int
    created_at: datetime
    job_id: uuid.UUID
    ordinal: int


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of an excerpt; ``found`` if it is what was looked for."""

    text: str
    found: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers the question; ``name`` is what people call its speaker."""

    place: Place
    object: str
    content_type: str
    start_seconds: float
    end_seconds: float
    speaker: str | None
    name: str | None
    language: str
    excerpt: tuple[Part, ...]


_SEARCH = text(f"""
    SELECT f.rank, f.created_at, f.job_id, f.ordinal, j.object, j.content_type, p.start_seconds, p.end_seconds,
           p.speaker, s.name, p.language,
           ts_headline(search_language(p.language), searchable(p.text), f.query,
                       'StartSel="{_MARK}", StopSel="{_UNMARK}", HighlightAll=true') AS marked
    FROM search_passages(:q, CAST(:most AS int), CAST(:rank AS bigint), CAST(:created_at AS timestamptz),
                         CAST(:job AS uuid), CAST(:ordinal AS bigint)) WITH ORDINALITY
             AS f(job_id, ordinal, rank, created_at, query, n)
    JOIN passages p ON p.job_id = f.job_id AND p.ordinal = f.ordinal
    JOIN jobs j ON j.id = f.job_id
    LEFT JOIN speakers s ON s.job_id = f.job_id AND s.label = p.speaker
    ORDER BY f.n""")  # noqa: S608 - control characters from here


def search(connection: Connection, q: str, *, after: Place | None = None, most: int) -> list[Hit]:
    """Find passages with these words, as a web search takes them: ``"two words"`` in this order, ``or``, ``-without``.

    ``connection`` acts for somebody (``shared.database.acting_as``), who is shown nothing else. A question of words
    alone that are on every page (the, and) finds nothing, nor does one that only says what must not be there.
    """
    place = {
        "rank": after.rank if after else None,
        "created_at": after.created_at.isoformat() if after else None,
        "job": str(after.job_id) if after else None,
        "ordinal": after.ordinal if after else None,
    }
    return [
        Hit(
            Place(row.rank, row.created_at, row.job_id, row.ordinal), row.object, row.content_type, row.start_seconds,
            row.end_seconds, row.speaker, row.name, row.language, excerpt(row.marked, q),
        )
        for row in connection.execute(_SEARCH, {"q": q, "most": most} | place)
    ]  # fmt: skip


def excerpt(marked: str, q: str) -> tuple[Part, ...]:
    """Cut out of a marked text what has most of the marks, at spaces where there are some."""
    parts = _parts(marked, min(map(len, _RUN.findall(q)), default=1))
    starts = list(accumulate((len(part.text) for part in parts), initial=0))
    marks = [start for start, part in zip(starts, parts, strict=False) if part.found] or [0]
    most = max(marks, key=lambda mark: sum(mark <= other < mark + _AFTER // 2 for other in marks))
    whole = "".join(part.text for part in parts)
    begin, end = most - _BEFORE if most > _BEFORE else 0, most + _AFTER
    if begin:
        begin = begin + 1 + space if (space := whole[begin:most].find(" ")) >= 0 else begin
    if end < len(whole):
        end = space if (space := whole.rfind(" ", most + _AFTER // 2, end)) > 0 else end
    cut = [
        Part(part.text[max(0, begin - start) : max(0, end - start)], part.found)
        for start, part in zip(starts, parts, strict=False)
    ]
    dots = Part("…", found=False)
    shown = [part for part in cut if part.text]
    return (*[dots] * (begin > 0), *shown, *[dots] * (end < len(whole)))


def _parts(marked: str, least: int) -> list[Part]:
    """Take a marked text apart; of letters that are set apart, fewer than ``least`` in a row are no word's."""
    pieces = marked.replace(_APART, "").replace(_UNMARK + _MARK, "").split(_MARK)
    taken = [Part(pieces[0], found=False)]
    for piece in pieces[1:]:
        word, _, rest = piece.partition(_UNMARK)
        taken += [Part(word, not _RUN.fullmatch(word) or len(word) >= least), Part(rest, found=False)]
    return [
        Part("".join(part.text for part in same), found)
        for found, same in groupby((part for part in taken if part.text), key=lambda part: part.found)
    ]


_LABELS = text("""
    SELECT speaker FROM passages WHERE job_id = :job AND speaker IS NOT NULL GROUP BY speaker ORDER BY min(ordinal)""")


def labels(connection: Connection, job_id: uuid.UUID) -> Sequence[str]:
    """List the speakers that a job's passages have, in the order in which they speak first."""
    return connection.execute(_LABELS, {"job": job_id}).scalars().all()
