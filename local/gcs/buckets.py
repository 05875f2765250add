"""Buckets: what one is, and the changes to one."""

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from local.gcs.configuration import check_cors, check_lifecycle
from local.gcs.database import Transaction, now_us
from local.gcs.errors import StorageError, invalid, no_such_bucket, unmet
from local.gcs.precondition import PreconditionError, Preconditions

#: What a client may set on a bucket; the rest of a resource is the service's own.
WRITABLE = (
    "autoclass",
    "billing",
    "cors",
    "defaultEventBasedHold",
    "encryption",
    "hierarchicalNamespace",
    "iamConfiguration",
    "labels",
    "lifecycle",
    "location",
    "logging",
    "retentionPolicy",
    "rpo",
    "softDeletePolicy",
    "storageClass",
    "versioning",
    "website",
)
#: The shapes of what this server itself reads, so that nothing it stores can trip it later.
_SHAPES: Mapping[str, type] = {"cors": list, "labels": dict, "lifecycle": dict, "versioning": dict, "location": str}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket. Times are microseconds since the epoch."""

    name: str
    project: str
    metageneration: int
    created: int
    updated: int
    properties: Mapping[str, Any]

    @property
    def generation(self) -> int:
        """Buckets have none; conditions on it never hold."""
        return -1

    @property
    def versioning(self) -> bool:
        """Whether overwritten and deleted objects are kept as noncurrent versions."""
        return bool((self.properties.get("versioning") or {}).get("enabled"))


def from_row(row: sqlite3.Row) -> Bucket:
    """Make the bucket of its row."""
    return Bucket(
        row["name"],
        row["project"],
        row["metageneration"],
        row["created"],
        row["updated"],
        json.loads(row["properties"]),
    )


def find_bucket(connection: sqlite3.Connection | Transaction, name: str) -> Bucket | None:
    """Look a bucket up."""
    row = connection.execute("SELECT * FROM buckets WHERE name = ?", (name,)).fetchone()
    return from_row(row) if row else None


def require_bucket(
    connection: sqlite3.Connection | Transaction,
    name: str,
    preconditions: Preconditions | None = None,
    *,
    reading: bool = False,
) -> Bucket:
    """Look a bucket up and hold the request's conditions against it.

    Raises:
        StorageError: there is none (404), or a condition does not hold (412, 304 when reading).
    """
    bucket = find_bucket(connection, name)
    if bucket is None:
        raise no_such_bucket(name)
    try:
        (preconditions or Preconditions()).check(bucket, reading=reading)
    except PreconditionError as error:
        raise unmet(error) from error
    return bucket


def list_buckets(connection: sqlite3.Connection, project: str, prefix: str, after: str, limit: int) -> list[Bucket]:
    """A project's buckets by name."""
    rows = connection.execute(
        "SELECT * FROM buckets WHERE project = ? AND name > ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
        (project, after, len(prefix), prefix, limit),
    )
    return [from_row(row) for row in rows]


def create_bucket(transaction: Transaction, name: str, project: str, properties: Mapping[str, Any]) -> Bucket:
    """Make a bucket.

    Raises:
        StorageError: the name is taken (409) or cannot be one (400).
    """
    if not _NAME.fullmatch(name):
        raise invalid(f"Invalid bucket name: '{name}'", code="InvalidBucketName")
    if find_bucket(transaction, name) is not None:
        raise StorageError(
            409,
            "BucketAlreadyOwnedByYou",
            "conflict",
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
    now = now_us()
    bucket = Bucket(name, project, 1, now, now, {"location": "US", "storageClass": "STANDARD", **writable(properties)})
    transaction.execute(
        "INSERT INTO buckets (name, project, metageneration, created, updated, properties) VALUES (?, ?, 1, ?, ?, ?)",
        (name, project, now, now, json.dumps(dict(bucket.properties))),
    )
    return bucket


def change_bucket(
    transaction: Transaction,
    name: str,
    changes: Mapping[str, Any],
    preconditions: Preconditions,
    *,
    whole: bool,
) -> Bucket:
    """Merge changes into a bucket's properties, or replace them (``whole``, but where a bucket lies never changes).

    Raises:
        StorageError: no such bucket, or a condition does not hold.
    """
    bucket = require_bucket(transaction, name, preconditions)
    fixed = {key: bucket.properties[key] for key in ("location", "storageClass") if key in bucket.properties}
    properties = {**fixed, **writable(changes if whole else merge(bucket.properties, changes, WRITABLE))}
    changed = replace(bucket, metageneration=bucket.metageneration + 1, updated=now_us(), properties=properties)
    transaction.execute(
        "UPDATE buckets SET metageneration = ?, updated = ?, properties = ? WHERE name = ?",
        (changed.metageneration, changed.updated, json.dumps(properties), name),
    )
    return changed


def delete_bucket(transaction: Transaction, name: str, preconditions: Preconditions) -> None:
    """Delete an empty bucket, its notification configurations and its unfinished uploads.

    Raises:
        StorageError: no such bucket, a condition does not hold, or objects (noncurrent ones count) are left: 409.
    """
    require_bucket(transaction, name, preconditions)
    if transaction.execute("SELECT 1 FROM objects WHERE bucket = ? LIMIT 1", (name,)).fetchone():
        raise StorageError(409, "BucketNotEmpty", "conflict", "The bucket you tried to delete is not empty.")
    for (body,) in transaction.execute(
        "DELETE FROM sessions WHERE bucket = ? RETURNING CASE state WHEN 'open' THEN body ELSE '' END", (name,)
    ).fetchall():
        if body:
            transaction.discard(body)
    transaction.execute("DELETE FROM notifications WHERE bucket = ?", (name,))
    transaction.execute("DELETE FROM buckets WHERE name = ?", (name,))


def writable(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Pick what a client may set out of a resource it sent.

    Raises:
        StorageError: something that this server acts on has another shape than it should.
    """
    picked = {key: resource[key] for key in WRITABLE if resource.get(key) is not None}
    for key, shape in _SHAPES.items():
        if not isinstance(picked.get(key, shape()), shape):
            raise invalid(f"Invalid value for: {key}")
    check_cors(picked.get("cors", []))
    check_lifecycle(picked.get("lifecycle", {}))
    return picked


def merge(properties: Mapping[str, Any], changes: Mapping[str, Any], allowed: tuple[str, ...]) -> dict[str, Any]:
    """PATCH: null removes, maps merge key by key, all else replaces."""
    merged = dict(properties)
    for key in allowed:
        if key not in changes:
            continue
        value = changes[key]
        if key in {"labels", "metadata"} and isinstance(value, dict):
            pairs = {**(merged.get(key) or {}), **value}
            merged[key] = {name: text for name, text in pairs.items() if text is not None}
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged
