"""What an object is, what it may be called, and finding one."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from local.gcs.buckets import require_bucket
from local.gcs.database import Transaction
from local.gcs.digest import Digests
from local.gcs.errors import invalid, no_such_object, unmet
from local.gcs.precondition import PreconditionError, Preconditions

#: What a client may set on an object; everything else in a resource is the service's own.
WRITABLE = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "customTime",
    "eventBasedHold",
    "metadata",
    "retention",
    "storageClass",
    "temporaryHold",
)
MAX_NAME_BYTES = 1024


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One generation of an object. Times are microseconds since the epoch."""

    bucket: str
    name: str
    generation: int
    metageneration: int
    live: bool
    body: str
    size: int
    digests: Digests
    components: int | None
    created: int
    updated: int
    deleted: int | None
    properties: Mapping[str, Any]

    @property
    def content_type(self) -> str:
        """As the uploader claimed."""
        return str(self.properties.get("contentType") or "application/octet-stream")

    @property
    def custom_metadata(self) -> Mapping[str, str]:
        """The ``x-goog-meta-*`` pairs."""
        return self.properties.get("metadata") or {}


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are durable on disk and wait for an object to point to them."""

    body: str
    size: int
    digests: Digests
    components: int | None = None


def from_row(row: sqlite3.Row) -> StoredObject:
    """Make the object of its row."""
    return StoredObject(
        bucket=row["bucket"],
        name=row["name"],
        generation=row["generation"],
        metageneration=row["metageneration"],
        live=bool(row["live"]),
        body=row["body"],
        size=row["size"],
        digests=Digests(row["crc32c"], row["md5"]),
        components=row["components"],
        created=row["created"],
        updated=row["updated"],
        deleted=row["deleted"],
        properties=json.loads(row["properties"]),
    )


def find_object(
    connection: sqlite3.Connection | Transaction, bucket: str, name: str, generation: int | None = None
) -> StoredObject | None:
    """Look an object up: the live generation, or the one asked for."""
    where, values = ("generation = ?", (generation,)) if generation is not None else ("live", ())
    statement = f"SELECT * FROM objects WHERE bucket = ? AND name = ? AND {where}"  # noqa: S608 - two constants
    found = connection.execute(statement, (bucket, name, *values)).fetchone()
    return from_row(found) if found else None


def require_object(
    connection: sqlite3.Connection | Transaction,
    bucket: str,
    name: str,
    generation: int | None = None,
    preconditions: Preconditions | None = None,
    *,
    reading: bool = False,
) -> StoredObject:
    """Look an object up and hold the request's conditions against it.

    Raises:
        StorageError: no such bucket or object (404), or a condition does not hold (412, 304 when reading).
    """
    found = find_object(connection, bucket, name, generation)
    if found is None:
        require_bucket(connection, bucket)
        raise no_such_object(bucket, name, generation)
    check(preconditions, found, reading=reading)
    return found


def check(preconditions: Preconditions | None, current: StoredObject | None, *, reading: bool = False) -> None:
    """Hold conditions against an object.

    Raises:
        StorageError: one does not hold.
    """
    try:
        (preconditions or Preconditions()).check(current, reading=reading)
    except PreconditionError as error:
        raise unmet(error) from error


def check_name(name: str) -> None:
    """Refuse names the real service refuses.

    Raises:
        StorageError: 400.
    """
    if not name or len(name.encode("utf-8", "surrogateescape")) > MAX_NAME_BYTES:
        raise invalid("The specified object name is not valid: it must have 1 to 1024 bytes.", code="InvalidObjectName")
    if name in {".", ".."} or "\r" in name or "\n" in name or name.startswith(".well-known/acme-challenge/"):
        raise invalid(f"The specified object name is not valid: {name!r}", code="InvalidObjectName")


def writable(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a client may set out of a resource it sent.

    Raises:
        StorageError: custom metadata that is not text to text.
    """
    picked = {key: resource[key] for key in WRITABLE if resource.get(key) is not None}
    metadata = picked.get("metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise invalid("Invalid value for: metadata must map strings to strings")
    if "customTime" in picked:
        _check_time("customTime", picked["customTime"])
    return picked


def _check_time(name: str, value: object) -> None:
    try:
        if datetime.fromisoformat(str(value)).tzinfo is None:
            raise invalid(f"Invalid value for: {name} needs a time zone")
    except ValueError as error:
        raise invalid(f"Invalid value for: {name}") from error
