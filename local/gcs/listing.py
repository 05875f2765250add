"""Listing objects: prefixes, delimiters, globs, offsets, versions and pages.

With a delimiter whole "folders" are leapt over, so that a page costs what it shows and not what lies below it.
"""

import asyncio
import base64
import binascii
import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.gcs.call import Call
from local.gcs.errors import invalid
from local.gcs.glob import glob_pattern
from local.gcs.stored import StoredObject, from_row

if TYPE_CHECKING:
    from local.gcs.storage import Storage

MAX_RESULTS = 1000
_FETCH = 200


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What is asked for. ``after``: the name and generation the page before ended with."""

    bucket: str
    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    glob: re.Pattern[str] | None = None
    versions: bool = False
    trailing_delimiter: bool = False
    limit: int = MAX_RESULTS
    after: tuple[str, int] = ("", -1)

    @classmethod
    def from_call(cls, call: Call) -> "ListQuery":
        """Read the query's parameters.

        Raises:
            StorageError: one of them is no good.
        """
        query = call.query
        glob = query.get("matchGlob")
        return cls(
            bucket=call.bucket,
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            start=query.get("startOffset", ""),
            end=query.get("endOffset", ""),
            glob=glob_pattern(glob) if glob else None,
            versions=call.flag("versions"),
            trailing_delimiter=call.flag("includeTrailingDelimiter"),
            limit=min(call.number("maxResults") or MAX_RESULTS, MAX_RESULTS),
            after=_position(query.get("pageToken")),
        )


@dataclass(slots=True)
class Page:
    """What is shown, and the token for what comes next."""

    objects: list[StoredObject] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next_token: str | None = None


async def list_objects(storage: "Storage", query: ListQuery) -> Page:
    """Read one page, off the event loop."""
    database = storage.database
    return await asyncio.get_running_loop().run_in_executor(storage.executor, lambda: read_page(database.reader, query))


def read_page(connection: sqlite3.Connection, query: ListQuery) -> Page:
    """Read one page."""
    page = Page()
    position = query.after
    shown = 0
    while True:
        leap: str | None = None
        row = None
        for row in _rows(connection, query, position):
            name, here = row["name"], (row["name"], row["generation"])
            folder = _folder(query, name)
            listed = (folder is None or (query.trailing_delimiter and name == folder)) and (
                query.glob is None or query.glob.fullmatch(name) is not None
            )
            folder_listed = folder is not None and (query.glob is None or query.glob.fullmatch(folder) is not None)
            if (listed or folder_listed) and shown >= query.limit:
                page.next_token = _token(position)
                return page
            if listed:
                page.objects.append(from_row(row))
                shown += 1
            position = here
            if folder is not None:
                if folder_listed:
                    page.prefixes.append(folder)
                    shown += 1
                leap = successor(folder)
                break
        if leap is not None:
            position = (leap, -1)
        elif row is None:
            return page


def successor(prefix: str) -> str:
    """The smallest text above all that start with ``prefix``, in the order of UTF-8."""
    for end in range(len(prefix) - 1, -1, -1):
        following = ord(prefix[end]) + 1
        if following <= 0x10FFFF:
            # Surrogates are no characters.
            return prefix[:end] + chr(0xE000 if following == 0xD800 else following)
    return "\U0010ffff" * 2


def _rows(connection: sqlite3.Connection, query: ListQuery, position: tuple[str, int]) -> Iterator[sqlite3.Row]:
    low = max(query.prefix, query.start, key=_utf8)
    highs = [high for high in (successor(query.prefix) if query.prefix else "", query.end) if high]
    where = ["bucket = ?", "name >= ?", "(name, generation) > (?, ?)"]
    values: list[str | int] = [query.bucket, max(low, position[0], key=_utf8), *position]
    if highs:
        where.append("name < ?")
        values.append(min(highs, key=_utf8))
    if not query.versions:
        where.append("live")
    yield from connection.execute(
        f"SELECT * FROM objects WHERE {' AND '.join(where)} ORDER BY name, generation LIMIT {_FETCH}",  # noqa: S608 - constants
        values,
    )


def _folder(query: ListQuery, name: str) -> str | None:
    if not query.delimiter:
        return None
    at = name.find(query.delimiter, len(query.prefix))
    return name[: at + len(query.delimiter)] if at >= 0 else None


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _token(position: tuple[str, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def _position(token: str | None) -> tuple[str, int]:
    if not token:
        return "", -1
    try:
        name, generation = json.loads(base64.urlsafe_b64decode(token))
        return str(name), int(generation)
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid("Invalid pageToken") from error
