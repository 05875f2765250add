"""Every change that can happen to an object, each a function of a transaction.

A change checks its preconditions, moves generations, records its notifications and names the bodies it leaves behind,
all in the one transaction, so that no crash can separate them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local.gcs.buckets import Bucket, require_bucket
from local.gcs.database import Transaction, now_us
from local.gcs.errors import StorageError
from local.gcs.notifications import EventType, record_event
from local.gcs.precondition import Preconditions
from local.gcs.stored import Content, StoredObject, check, find_object, require_object


def create(
    transaction: Transaction,
    bucket_name: str,
    name: str,
    content: Content,
    *,
    properties: Mapping[str, Any],
    preconditions: Preconditions | None = None,
) -> StoredObject:
    """Make bytes that are already durable the live generation of an object.

    Raises:
        StorageError: no such bucket, or a condition does not hold.
    """
    bucket = require_bucket(transaction, bucket_name)
    current = find_object(transaction, bucket_name, name)
    check(preconditions, current)
    now = now_us()
    new = StoredObject(
        bucket=bucket_name,
        name=name,
        generation=transaction.next_generation(),
        metageneration=1,
        live=True,
        body=content.body,
        size=content.size,
        digests=content.digests,
        components=content.components,
        created=now,
        updated=now,
        deleted=None,
        properties={"storageClass": bucket.properties.get("storageClass", "STANDARD"), **properties},
    )
    if current is not None:
        _retire(transaction, bucket, current, overwritten_by=new.generation)
    transaction.execute(
        "INSERT INTO objects (bucket, name, generation, metageneration, live, body, size, crc32c, md5, components,"
        " created, updated, deleted, properties) VALUES (?, ?, ?, 1, 1, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        (
            new.bucket,
            new.name,
            new.generation,
            new.body,
            new.size,
            new.digests.crc32c,
            new.digests.md5,
            new.components,
            new.created,
            new.updated,
            json.dumps(dict(new.properties)),
        ),
    )
    overwrote = {"overwroteGeneration": str(current.generation)} if current else {}
    record_event(transaction, EventType.FINALIZE, new, overwrote)
    return new


def delete(
    transaction: Transaction,
    bucket_name: str,
    name: str,
    generation: int | None = None,
    preconditions: Preconditions | None = None,
) -> None:
    """Delete the live object (archive it where the bucket keeps versions), or one generation for good.

    Raises:
        StorageError: not there, or a condition does not hold.
    """
    current = require_object(transaction, bucket_name, name, generation, preconditions)
    bucket = require_bucket(transaction, bucket_name)
    if generation is None:
        _retire(transaction, bucket, current)
    else:
        _remove(transaction, current)


def change_metadata(transaction: Transaction, current: StoredObject, properties: Mapping[str, Any]) -> StoredObject:
    """Give an object other metadata; the caller has checked the conditions in this transaction."""
    new = replace(current, metageneration=current.metageneration + 1, updated=now_us(), properties=properties)
    transaction.execute(
        "UPDATE objects SET metageneration = ?, updated = ?, properties = ?"
        " WHERE bucket = ? AND name = ? AND generation = ?",
        (new.metageneration, new.updated, json.dumps(dict(properties)), new.bucket, new.name, new.generation),
    )
    record_event(transaction, EventType.METADATA_UPDATE, new)
    return new


def _retire(
    transaction: Transaction, bucket: Bucket, current: StoredObject, *, overwritten_by: int | None = None
) -> None:
    if current.properties.get("temporaryHold") or current.properties.get("eventBasedHold"):
        raise StorageError(
            403, "AccessDenied", "forbidden", f"Object '{current.bucket}/{current.name}' is under active hold."
        )
    attributes = {"overwrittenByGeneration": str(overwritten_by)} if overwritten_by else {}
    if not bucket.versioning:
        _remove(transaction, current, attributes)
        return
    archived = replace(current, live=False, deleted=now_us())
    transaction.execute(
        "UPDATE objects SET live = 0, deleted = ? WHERE bucket = ? AND name = ? AND generation = ?",
        (archived.deleted, current.bucket, current.name, current.generation),
    )
    record_event(transaction, EventType.ARCHIVE, archived, attributes)


def _remove(transaction: Transaction, current: StoredObject, attributes: Mapping[str, str] | None = None) -> None:
    transaction.execute(
        "DELETE FROM objects WHERE bucket = ? AND name = ? AND generation = ?",
        (current.bucket, current.name, current.generation),
    )
    transaction.discard(current.body)
    removed = replace(current, deleted=current.deleted or now_us())
    record_event(transaction, EventType.DELETE, removed, attributes)
