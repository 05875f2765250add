"""``spotmill reconcile``, daily and by hand: what no event told of is found by listing both buckets, page by page."""

import json
import math
import re
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import click
import structlog
from google.cloud.storage import Blob
from google.cloud.storage.retry import DEFAULT_RETRY
from sqlalchemy import Connection, text

from services.dispatcher import leftovers
from services.dispatcher.backends import Backends
from services.dispatcher.intake import resource_of, take_in
from services.dispatcher.recording import Arrival
from services.dispatcher.sweep import sweep
from shared import lifecycle, logging
from shared.objects import ObjectName, is_ignored
from shared.settings import DispatcherSettings, SettingsError, load

#: Objects of one page of a listing, and rows of one page of the queue.
_PAGE = 1000
#: Seconds that Cloud Storage may take to answer, and for which a call is tried.
_DEADLINE_SECONDS = 60
_RETRY = DEFAULT_RETRY.with_timeout(_DEADLINE_SECONDS)
#: Objects that are looked for side by side.
_SIDE_BY_SIDE = 8
#: Key of the advisory lock that one reconcile at a time holds (any fixed number does).
_LOCK = 0x5B07_312
#: ``attempt_prefix`` and ``steps_prefix``, read backwards.
_OUTPUT = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/(\d{1,18})/")
_STEP = re.compile(r"steps/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What was put right: objects that were ``recorded``, queued jobs that were ``superseded``, files ``deleted``."""

    recorded: int
    superseded: int
    deleted: int


def reconcile(backends: Backends) -> Reconciled | None:
    """Record what no event announced, end queued jobs whose object is gone, delete what came after its sweep.

    One at a time: None if another one is at it. A listing may take longer than Pub/Sub waits for an answer to the tick
    that asked for it, and the ticks that are delivered meanwhile must not begin more of them. Stopped in the middle,
    it has done no harm and begins anew.
    """
    with backends.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.detach()  # the lock and the temporary table end with the connection, whatever happens
        if not session.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one():
            log.info("reconcile.under_way")
            return None
        recorded = _record(backends, session)
        superseded = _supersede(backends, session)
    found = _find_leftovers(backends)
    deleted = sweep(backends, seconds=math.inf).objects
    log.info("reconcile.done", recorded=recorded, superseded=superseded, leftovers=found, deleted=deleted)
    return Reconciled(recorded, superseded, deleted)


def _pages(backends: Backends, bucket: str, fields: str) -> Iterator[list[Blob]]:
    """List a bucket with one page in memory at a time."""
    blobs = iter(
        backends.storage.list_blobs(
            bucket,
            page_size=_PAGE,
            fields=f"items({fields}),nextPageToken",
            timeout=_DEADLINE_SECONDS,
            retry=_RETRY,
        )
    )
    while page := list(islice(blobs, _PAGE)):
        yield page


_REMEMBER = text("CREATE TEMPORARY TABLE seen (id uuid PRIMARY KEY)")
_SEE = text("""
    INSERT INTO seen
    SELECT DISTINCT j.id FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(bucket text, name text, generation bigint)
    JOIN jobs j ON j.bucket = r.bucket AND j.object = r.name AND j.generation = r.generation
    WHERE j.status = 'queued'
    ON CONFLICT DO NOTHING""")


def _record(backends: Backends, session: Connection) -> int:
    """Record the objects that have no job, and remember which queued jobs have their object.

    An object that has a job of any pipeline was announced: which pipelines are installed may have changed since.
    """
    session.execute(_REMEMBER)
    new = 0
    fields = "name,bucket,generation,size,contentType,crc32c,metadata"
    for page in _pages(backends, backends.settings.upload_bucket, fields):
        uploads = [blob for blob in page if not is_ignored(blob.name)]
        names = {ObjectName(blob.bucket.name, blob.name, int(blob.generation)): blob for blob in uploads}
        known = lifecycle.content_types(session, list(names))
        fresh = [Arrival(resource_of(blob)) for name, blob in names.items() if name not in known]
        new += sum(job.new for job in take_in(backends, fresh))
        rows = [{"bucket": n.bucket, "name": n.name, "generation": n.generation} for n in known]
        session.execute(_SEE, {"rows": json.dumps(rows)})
    return new


_UNSEEN = text("""
    SELECT id, bucket, object, generation FROM jobs
    WHERE status = 'queued' AND id > :after AND NOT EXISTS (SELECT FROM seen WHERE seen.id = jobs.id)
    ORDER BY id LIMIT :most""")


def _supersede(backends: Backends, session: Connection) -> int:
    """End the queued jobs whose object was not seen and is not there, or is there in another generation only."""
    ended, after = 0, uuid.UUID(int=0)
    with ThreadPoolExecutor(_SIDE_BY_SIDE, "reconcile") as pool:
        while rows := session.execute(_UNSEEN, {"after": after, "most": _PAGE}).all():
            after = rows[-1].id
            names = [ObjectName(row.bucket, row.object, row.generation) for row in rows]
            there = pool.map(lambda name: _exists(backends, name), names)
            for name in [name for name, found in zip(names, there, strict=True) if not found]:
                superseded = lifecycle.supersede_deleted(session, name.bucket, name.name, name.generation or 0)
                ended += len(superseded)
                for job in superseded:
                    log.info("job.superseded", job=str(job), reason="deleted")
    return ended


def _exists(backends: Backends, name: ObjectName) -> bool:
    blob = Blob(name.name, backends.storage.bucket(name.bucket), generation=name.generation)
    there: bool = blob.exists(timeout=_DEADLINE_SECONDS, retry=_RETRY)
    return there


def _find_leftovers(backends: Backends) -> int:
    """Have attempts swept again whose files lie in the result bucket although they were swept; return how many."""
    total = 0
    for page in _pages(backends, backends.settings.result_bucket, "name"):
        if seen := _seen(blob.name for blob in page):
            with backends.engine.begin() as connection:
                total += leftovers.found(
                    connection, seen, retention_seconds=backends.settings.steps_retention_days * 86400
                )
    return total


def _seen(names: Iterator[str]) -> Sequence[tuple[uuid.UUID, int | None]]:
    """Read from names of objects whose outputs or steps (None) they are; leave out what is neither."""
    found: dict[tuple[uuid.UUID, int | None], None] = {}
    for name in names:
        if match := _OUTPUT.match(name):
            found[uuid.UUID(match[1]), int(match[2])] = None
        elif match := _STEP.match(name):
            found[uuid.UUID(match[1]), None] = None
    return list(found)


@click.command()
def command() -> None:
    """Record objects that no event announced, end jobs whose object is gone, delete files that nobody needs."""
    try:
        settings = load(DispatcherSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    logging.configure_from("reconcile", settings)
    done = reconcile(Backends(settings))
    if done is None:
        raise click.ClickException("Another reconcile is under way.")
    click.echo(
        f"{done.recorded} objects were recorded that no event had announced; {done.superseded} waiting jobs were ended "
        f"whose object is gone; {done.deleted} files were deleted that nobody needs"
    )
