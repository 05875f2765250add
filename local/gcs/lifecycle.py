"""Lifecycle rules: which objects are due, and doing what their rules say.

https://cloud.google.com/storage/docs/lifecycle
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.gcs import objects
from local.gcs.buckets import Bucket
from local.gcs.buckets import from_row as bucket_from_row
from local.gcs.database import Transaction
from local.gcs.errors import StorageError
from local.gcs.stored import StoredObject, find_object, from_row

if TYPE_CHECKING:
    from local.gcs.storage import Storage

log = logging.getLogger(__name__)

#: The real service needs up to a day; here the wait is for a person's patience.
INTERVAL_SECONDS = 60
_FETCH = 500


async def run_forever(storage: "Storage") -> None:
    """Apply all rules every minute."""
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        try:
            await apply(storage, datetime.now(UTC))
        except Exception:
            log.exception("gcs.lifecycle_failed")  # a rule that cannot be applied must not end the others for good


async def apply(storage: "Storage", now: datetime) -> int:
    """Apply the rules of every bucket as of ``now``, and forget expired sessions; returns how many objects changed."""
    changed = 0
    for row in storage.database.reader.execute("SELECT * FROM buckets").fetchall():
        bucket = bucket_from_row(row)
        rules = (bucket.properties.get("lifecycle") or {}).get("rule") or []
        if rules:
            changed += await _apply_to_bucket(storage, bucket, rules, now)
    await storage.sessions.expire(int(now.timestamp() * 1e6))
    if changed:
        log.info("gcs.lifecycle objects=%d", changed)
    return changed


def matches(condition: Mapping[str, Any], stored: StoredObject, newer_versions: int, now: datetime) -> bool:
    """Tell whether all parts of a condition hold; one without parts holds for nothing."""
    known = {name: value for name, value in condition.items() if name in _TESTS and value not in (None, [])}
    return bool(known) and all(_TESTS[name](value, stored, newer_versions, now) for name, value in known.items())


async def _apply_to_bucket(storage: "Storage", bucket: Bucket, rules: list[Mapping[str, Any]], now: datetime) -> int:
    changed = 0
    position = ("", -1)
    while rows := storage.database.reader.execute(
        "SELECT *, (SELECT count(*) FROM objects AS newer WHERE newer.bucket = objects.bucket"
        " AND newer.name = objects.name AND newer.generation > objects.generation) AS newer_versions"
        " FROM objects WHERE bucket = ? AND (name, generation) > (?, ?) ORDER BY name, generation LIMIT ?",
        (bucket.name, *position, _FETCH),
    ).fetchall():
        position = (rows[-1]["name"], rows[-1]["generation"])
        for row in rows:
            stored = from_row(row)
            due = [
                rule.get("action") or {}
                for rule in rules
                if matches(rule.get("condition") or {}, stored, row["newer_versions"], now)
            ]
            # Where several rules match, deleting wins over changing the class.
            due.sort(key=lambda action: action.get("type") != "Delete")
            if due and await _act(storage, due[0], stored):
                changed += 1
    return changed


async def _act(storage: "Storage", action: Mapping[str, Any], stored: StoredObject) -> bool:
    def change(transaction: Transaction) -> bool:
        current = find_object(transaction, stored.bucket, stored.name, stored.generation)
        if current is None or current.metageneration != stored.metageneration or current.live != stored.live:
            return False
        if action.get("type") == "Delete":
            generation = None if current.live else current.generation
            objects.delete(transaction, stored.bucket, stored.name, generation)
            return True
        if action.get("type") == "SetStorageClass" and current.properties.get("storageClass") != action.get(
            "storageClass"
        ):
            properties = {**current.properties, "storageClass": action.get("storageClass")}
            objects.change_metadata(transaction, current, properties)
            return True
        return False

    try:
        return await storage.database.write(change)
    except StorageError as error:
        log.info("gcs.lifecycle_skipped object=%s/%s reason=%s", stored.bucket, stored.name, json.dumps(error.message))
        return False


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)


def _is_older(days: Any, since: datetime | None, now: datetime) -> bool:
    return since is not None and now - since >= timedelta(days=float(days))


def _noncurrent_since(stored: StoredObject) -> datetime | None:
    return None if stored.live or stored.deleted is None else _moment(stored.deleted)


def _custom_time(stored: StoredObject) -> datetime | None:
    text = stored.properties.get("customTime")
    return datetime.fromisoformat(str(text)) if text else None


def _is_before(date: Any, moment: datetime | None) -> bool:
    return moment is not None and moment.date().isoformat() < str(date)


_TESTS: dict[str, Callable[[Any, StoredObject, int, datetime], bool]] = {
    "age": lambda days, stored, _, now: _is_older(days, _moment(stored.created), now),
    "createdBefore": lambda date, stored, _, __: _is_before(date, _moment(stored.created)),
    "customTimeBefore": lambda date, stored, _, __: _is_before(date, _custom_time(stored)),
    "daysSinceCustomTime": lambda days, stored, _, now: _is_older(days, _custom_time(stored), now),
    "daysSinceNoncurrentTime": lambda days, stored, _, now: _is_older(days, _noncurrent_since(stored), now),
    "isLive": lambda live, stored, _, __: stored.live == bool(live),
    "matchesPrefix": lambda prefixes, stored, _, __: stored.name.startswith(tuple(prefixes)),
    "matchesStorageClass": lambda names, stored, _, __: stored.properties.get("storageClass", "STANDARD") in names,
    "matchesSuffix": lambda suffixes, stored, _, __: stored.name.endswith(tuple(suffixes)),
    "noncurrentTimeBefore": lambda date, stored, _, __: _is_before(date, _noncurrent_since(stored)),
    "numNewerVersions": lambda count, _, newer_versions, __: newer_versions >= int(count),
}
