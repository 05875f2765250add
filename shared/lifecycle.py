"""Every change of a job's state: one function, one transaction of the caller's, guarded in SQL by the fencing token.

Functions take and return lists, so that tiny jobs are claimed and committed in batches; a list travels as one JSON
parameter. Rows are locked in the order of their ids, so that two batches never wait for each other in a circle.
Nothing else in Spotmill writes the columns that are written here. Times are the database's.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from sqlalchemy import Connection, text

from shared.jobs import Backoff, Claim, Completion, Failure, Hold, NewJob, Pending, Recorded, Renewal
from shared.models import JobStatus, Outcome
from shared.objects import ObjectName
from shared.routing import UNROUTED


def _rows(items: Iterable[Any]) -> dict[str, str]:
    return {"rows": json.dumps(list(items), default=_plain)}


def _plain(value: Any) -> Any:
    # dataclasses.asdict would copy every value once more, which is felt when ten thousand tiny jobs are committed.
    if is_dataclass(value):
        return {f.name: getattr(value, f.name) for f in fields(value)}
    return str(value)


_INSERT_JOBS = text("""
    INSERT INTO jobs (bucket, object, generation, pipeline, size_bytes, content_type, crc32c, owner, settings,
                      status, error, finished_at)
    SELECT bucket, object, generation, pipeline, size_bytes, content_type, crc32c, owner, settings,
           CASE WHEN error IS NULL THEN 'queued' ELSE 'failed' END, error, CASE WHEN error IS NULL THEN NULL ELSE now() END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(bucket text, object text, generation bigint, pipeline text,
         size_bytes bigint, content_type text, crc32c text, owner text, settings jsonb, error text)
    ORDER BY bucket, object, generation, pipeline
    ON CONFLICT ON CONSTRAINT jobs_identity DO NOTHING
    RETURNING id""")

_SUPERSEDE_OLDER = text("""
    UPDATE jobs SET status = 'superseded', finished_at = now(), updated_at = now(), error = 'A newer version replaced this file.'
    WHERE id IN (
        SELECT old.id FROM jobs old
        WHERE old.status = 'queued'
          AND (old.bucket, old.object) IN (
              SELECT bucket, object FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(bucket text, object text))
          AND EXISTS (SELECT FROM jobs new WHERE new.bucket = old.bucket AND new.object = old.object
                      AND new.generation > old.generation)
        ORDER BY old.id FOR UPDATE)
      AND status = 'queued'""")

_READ_RECORDED = text("""
    SELECT j.id, j.status, j.queued_at, j.published_at
    FROM ROWS FROM (jsonb_to_recordset(CAST(:rows AS jsonb)) AS (bucket text, object text, generation bigint, pipeline text))
         WITH ORDINALITY AS r(bucket, object, generation, pipeline, n)
    JOIN jobs j USING (bucket, object, generation, pipeline)
    ORDER BY r.n""")


def record(connection: Connection, jobs: Sequence[NewJob]) -> list[Recorded]:
    """Insert jobs that are not there yet, in the order given; a newer generation supersedes queued older ones.

    Exactly one row exists for each identity afterwards, however often and in whatever order this is called.
    """
    if not jobs:
        return []
    rows = _rows(jobs)
    new = set(connection.execute(_INSERT_JOBS, rows).scalars())
    connection.execute(_SUPERSEDE_OLDER, rows)
    return [
        Recorded(row.id, JobStatus(row.status), row.queued_at, row.published_at, row.id in new)
        for row in connection.execute(_READ_RECORDED, rows)
    ]


_CONTENT_TYPES = text("""
    SELECT DISTINCT ON (r.n) r.n, j.content_type
    FROM ROWS FROM (jsonb_to_recordset(CAST(:rows AS jsonb)) AS (bucket text, name text, generation bigint))
         WITH ORDINALITY AS r(bucket, name, generation, n)
    JOIN jobs j ON j.bucket = r.bucket AND j.object = r.name AND j.generation = r.generation
    ORDER BY r.n, j.created_at""")


def content_types(connection: Connection, objects: Sequence[ObjectName]) -> dict[ObjectName, str]:
    """Return the content types under which objects are recorded; those that are not are left out."""
    if not objects:
        return {}
    return {objects[row.n - 1]: row.content_type for row in connection.execute(_CONTENT_TYPES, _rows(objects))}


_RECORDED = text("""
    SELECT EXISTS (SELECT FROM jobs WHERE bucket = :bucket AND object = :name AND generation > 0
                   AND (CAST(:generation AS bigint) IS NULL OR generation = CAST(:generation AS bigint)))""")


def recorded(connection: Connection, target: ObjectName) -> bool:
    """Tell whether an object has a job: in this generation, or in any if it names none."""
    values = {"bucket": target.bucket, "name": target.name, "generation": target.generation}
    return bool(connection.execute(_RECORDED, values).scalar_one())


_MARK_PUBLISHED = text("""
    UPDATE jobs j SET published_at = now()
    FROM (SELECT j.id FROM jobs j
          JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, queued_at timestamptz) USING (id)
          WHERE j.queued_at = r.queued_at AND j.status = 'queued' ORDER BY j.id FOR UPDATE OF j) AS waiting
    WHERE j.id = waiting.id""")


def mark_published(connection: Connection, published: Sequence[Pending]) -> None:
    """Note that a message about each job is in Pub/Sub.

    A job that has left the queue since is left alone, even if it is back: the message that was sent may be spent.
    """
    if published:
        connection.execute(_MARK_PUBLISHED, _rows(published))


# Each half by an index of its own, so that a long queue whose messages are out costs nothing. A worker that has nothing
# to do has long been given every message that there is.
_UNPUBLISHED = text("""
    WITH patience AS (
        SELECT CASE WHEN EXISTS (SELECT FROM workers
                                 WHERE state = 'idle' AND idle_since < now() - make_interval(secs => CAST(:idle AS float8))
                                   AND last_seen > now() - interval '30 seconds')
               THEN CAST(:idle AS float8) ELSE CAST(:republish_after AS float8) END AS seconds
    )
    SELECT id, queued_at FROM (
        (SELECT id, queued_at, not_before FROM jobs
         WHERE status = 'queued' AND published_at IS NULL AND not_before <= now()
         ORDER BY not_before LIMIT :most)
        UNION ALL
        (SELECT id, queued_at, not_before FROM jobs
         WHERE status = 'queued' AND not_before <= now()
           AND published_at < now() - make_interval(secs => (SELECT seconds FROM patience))
         ORDER BY published_at LIMIT :most)
    ) AS forgotten
    WHERE NOT EXISTS (SELECT FROM pauses WHERE resumed_at IS NULL)
    ORDER BY not_before, id LIMIT :most""")


def unpublished(
    connection: Connection, *, republish_after_seconds: float, idle_seconds: float | None = None, most: int
) -> list[Pending]:
    """List due queued jobs that no live message announces, the longest due first; none while the queue is paused.

    Once a worker has been idle for ``idle_seconds``, a message that was sent as long ago counts as lost.
    """
    patience = {
        "republish_after": republish_after_seconds,
        "idle": republish_after_seconds if idle_seconds is None else idle_seconds,
    }
    rows = connection.execute(_UNPUBLISHED, {name: str(value) for name, value in patience.items()} | {"most": most})
    return [Pending(row.id, row.queued_at) for row in rows]


_REANNOUNCE = text("""
    UPDATE jobs SET published_at = NULL, queued_at = now()
    WHERE status = 'queued'
      AND id IN (SELECT id FROM jobs WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued' ORDER BY id FOR UPDATE)
    RETURNING id, queued_at, not_before <= now() AS due""")


def reannounce(connection: Connection, ids: Sequence[uuid.UUID]) -> tuple[set[uuid.UUID], list[Pending]]:
    """Let queued jobs be announced anew, as their message is lost; return which are queued, and those to publish now.

    Each begins another stay in the queue, so that whoever notes the lost message's publishing late notes nothing.
    """
    rows = connection.execute(_REANNOUNCE, {"ids": "{" + ",".join(map(str, ids)) + "}"}).all()
    return {row.id for row in rows}, [Pending(row.id, row.queued_at) for row in rows if row.due]


# While the queue is paused nothing is claimed, and nothing by a worker that is leaving: its VM may be deleted at any
# moment. The messages that came are spent, so their jobs begin another stay in the queue that nobody has announced:
# mark_published of the stay before finds nothing to mark. The lock has whoever deletes VMs wait for this claim.
_CLAIM = text("""
    WITH me AS (
        SELECT state FROM workers WHERE id = :worker FOR KEY SHARE
    ), closed AS (
        SELECT FROM pauses WHERE resumed_at IS NULL UNION ALL SELECT FROM me WHERE state IN ('leaving', 'gone')
    ), unannounced AS (
        UPDATE jobs SET published_at = NULL, queued_at = now()
        WHERE EXISTS (SELECT FROM closed) AND status = 'queued'
          AND id IN (SELECT id FROM jobs WHERE id = ANY(CAST(:ids AS uuid[])) AND status = 'queued' ORDER BY id FOR UPDATE)
    ), free AS (
        SELECT id, attempt AS old_attempt, status AS old_status, coalesce(lease_until, not_before) AS due_at FROM jobs
        WHERE id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (SELECT FROM closed)
          AND ((status = 'queued' AND not_before <= now()) OR (status = 'running' AND lease_until < now()))
        ORDER BY id FOR UPDATE
    ), lost AS (
        UPDATE attempts a SET ended_at = now(), outcome = 'lost', error = 'The worker vanished and its lease ran out.'
        FROM free f WHERE f.old_status = 'running' AND a.job_id = f.id AND a.attempt = f.old_attempt AND a.ended_at IS NULL
    ), won AS (
        UPDATE jobs j SET status = 'running', attempt = j.attempt + 1, worker = :worker, started_at = now(), finished_at = NULL,
               lease_until = now() + make_interval(secs => :lease), progress = 0, stage = '', updated_at = now()
        FROM free f WHERE j.id = f.id
        RETURNING j.id, j.attempt, j.bucket, j.object, j.generation, j.pipeline, j.size_bytes, j.content_type, j.crc32c, j.owner,
                  j.settings, j.failures, extract(epoch FROM now() - f.due_at)::float8 AS waited_seconds
    ), opened AS (
        INSERT INTO attempts (job_id, attempt, worker) SELECT id, attempt, :worker FROM won
    )
    SELECT * FROM won""")


def claim(connection: Connection, ids: Sequence[uuid.UUID], *, worker: str, lease_seconds: float) -> list[Claim]:
    """Take the jobs that are due, or whose lease has run out, for ``worker``; the rest is somebody else's or over.

    None while the queue is paused or the worker is leaving: the caller acknowledges the messages, and the jobs are
    announced again.
    """
    if not ids:
        return []
    rows = connection.execute(
        _CLAIM, {"ids": "{" + ",".join(map(str, ids)) + "}", "worker": worker, "lease": lease_seconds}
    )
    return [
        Claim(
            row.id, row.attempt, row.bucket, row.object, row.generation, row.pipeline, row.size_bytes,
            row.content_type, row.crc32c, row.owner, row.settings, row.failures, row.waited_seconds,
        )
        for row in rows
    ]  # fmt: skip


_RENEW = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, attempt bigint, progress float8, stage text,
                                                                   steps_stored bigint, saved_seconds float8)
    ), mine AS (
        SELECT j.id, r.attempt, r.progress, r.stage, r.steps_stored, r.saved_seconds FROM jobs j JOIN r USING (id)
        WHERE j.attempt = r.attempt AND j.status = 'running' ORDER BY j.id FOR UPDATE OF j
    ), held AS (
        UPDATE jobs j SET lease_until = now() + make_interval(secs => :lease), progress = m.progress, stage = m.stage,
               updated_at = CASE WHEN j.progress = m.progress AND j.stage = m.stage THEN j.updated_at ELSE now() END
        FROM mine m WHERE j.id = m.id RETURNING j.id, j.attempt
    ), noted AS (
        UPDATE attempts a SET steps_stored = m.steps_stored, saved_seconds = m.saved_seconds
        FROM mine m WHERE a.job_id = m.id AND a.attempt = m.attempt
          AND (a.steps_stored, a.saved_seconds) <> (m.steps_stored, m.saved_seconds)
    )
    SELECT id, attempt FROM held""")


def renew(connection: Connection, renewals: Sequence[Renewal], *, lease_seconds: float) -> set[Hold]:
    """Prolong leases and write progress; return the holds that still stand.

    A hold that is missing from the answer was cancelled, stopped or taken over: its holder must write nothing more. A
    lease that has run out but that nobody has taken is revived.
    """
    if not renewals:
        return set()
    rows = connection.execute(_RENEW, _rows(renewals) | {"lease": str(lease_seconds)})
    return {Hold(row.id, row.attempt) for row in rows}


_COMMIT = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, attempt bigint, result jsonb, artifacts jsonb,
                                                                   passages jsonb, steps_stored bigint, saved_seconds float8)
    ), mine AS (
        SELECT j.id, j.attempt FROM jobs j JOIN r USING (id)
        WHERE j.attempt = r.attempt AND j.status = 'running' ORDER BY j.id FOR UPDATE OF j
    ), won AS (
        UPDATE jobs j SET status = 'succeeded', result = r.result, progress = 1, stage = '', error = NULL, lease_until = NULL,
               finished_at = now(), updated_at = now()
        FROM r JOIN mine USING (id, attempt) WHERE j.id = r.id
        RETURNING j.id, j.attempt, r.artifacts, r.passages, r.steps_stored, r.saved_seconds
    ), ended AS (
        UPDATE attempts a SET ended_at = now(), outcome = 'succeeded', steps_stored = w.steps_stored,
               saved_seconds = w.saved_seconds
        FROM won w WHERE a.job_id = w.id AND a.attempt = w.attempt
    ), published AS (
        INSERT INTO artifacts (job_id, attempt, kind, bucket, object, generation, content_type, size_bytes, crc32c,
                               filename, metadata)
        SELECT w.id, w.attempt, f.kind, f.bucket, f.object, f.generation, f.content_type, f.size_bytes, f.crc32c,
               f.filename, f.metadata
        FROM won w, jsonb_to_recordset(w.artifacts) AS f(kind text, bucket text, object text, generation bigint,
             content_type text, size_bytes bigint, crc32c text, filename text, metadata jsonb)
    ), said AS (
        INSERT INTO passages (job_id, attempt, ordinal, start_seconds, end_seconds, speaker, language, text)
        SELECT w.id, w.attempt, p.n, p.start, p."end", p.speaker, p.language, p.text
        FROM won w, ROWS FROM (jsonb_to_recordset(w.passages) AS (start float8, "end" float8, speaker text, language text,
             text text)) WITH ORDINALITY AS p(start, "end", speaker, language, text, n)
    )
    SELECT id, attempt FROM won""")


def commit(connection: Connection, completions: Sequence[Completion]) -> set[Hold]:
    """Publish results, artifacts and passages of attempts that still hold their job; return those that did."""
    if not completions:
        return set()
    return {Hold(row.id, row.attempt) for row in connection.execute(_COMMIT, _rows(completions))}


_FAIL = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, attempt bigint, error text, permanent boolean)
    ), mine AS (
        SELECT j.id, j.attempt FROM jobs j JOIN r USING (id)
        WHERE j.attempt = r.attempt AND j.status = 'running' ORDER BY j.id FOR UPDATE OF j
    ), ended AS (
        UPDATE attempts a SET ended_at = now(), outcome = 'failed', error = r.error
        FROM r JOIN mine USING (id, attempt) WHERE a.job_id = r.id AND a.attempt = r.attempt
    )
    UPDATE jobs j SET
        failures = j.failures + 1, error = r.error, worker = NULL, lease_until = NULL, updated_at = now(), stage = '',
        status = CASE WHEN r.permanent OR j.failures + 1 >= CAST(:most AS bigint) THEN 'failed' ELSE 'queued' END,
        finished_at = CASE WHEN r.permanent OR j.failures + 1 >= CAST(:most AS bigint) THEN now() END,
        queued_at = CASE WHEN r.permanent OR j.failures + 1 >= CAST(:most AS bigint) THEN j.queued_at ELSE now() END,
        published_at = NULL,
        not_before = now() + make_interval(secs =>
            least(CAST(:base AS float8) * 2 ^ j.failures, CAST(:longest AS float8)) * (0.5 + random() / 2))
    FROM r JOIN mine USING (id, attempt) WHERE j.id = r.id
    RETURNING j.id, j.attempt, j.status""")


def fail(connection: Connection, failures: Sequence[Failure], backoff: Backoff) -> dict[Hold, JobStatus]:
    """Count a failure of each attempt that still holds its job; return where the job stands now (queued or failed)."""
    if not failures:
        return {}
    limits = {"base": backoff.base_seconds, "longest": backoff.longest_seconds, "most": backoff.failures}
    rows = connection.execute(_FAIL, _rows(failures) | {key: str(value) for key, value in limits.items()})
    return {Hold(row.id, row.attempt): JobStatus(row.status) for row in rows}


_RELEASE = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, attempt bigint, steps_stored bigint,
                                                                   saved_seconds float8)
    ), mine AS (
        SELECT j.id, j.attempt, r.steps_stored, r.saved_seconds FROM jobs j JOIN r USING (id)
        WHERE j.attempt = r.attempt AND j.status = 'running' ORDER BY j.id FOR UPDATE OF j
    ), ended AS (
        UPDATE attempts a SET ended_at = now(), outcome = :outcome, error = :reason,
               steps_stored = coalesce(m.steps_stored, a.steps_stored),
               saved_seconds = coalesce(m.saved_seconds, a.saved_seconds)
        FROM mine m WHERE a.job_id = m.id AND a.attempt = m.attempt
    )
    UPDATE jobs j SET status = 'queued', worker = NULL, lease_until = NULL, published_at = NULL, stage = '',
           not_before = now(), queued_at = now(), updated_at = now()
    FROM mine m WHERE j.id = m.id
    RETURNING j.id, j.attempt""")


def release(
    connection: Connection, holds: Sequence[Hold] | Sequence[Renewal], *, outcome: Outcome, reason: str
) -> set[Hold]:
    """Give jobs back to the queue without counting a failure; return those that were still held.

    A renewal instead of a bare hold also says which steps are stored.
    """
    if not holds:
        return set()
    rows = connection.execute(_RELEASE, _rows(holds) | {"outcome": outcome.value, "reason": reason})
    return {Hold(row.id, row.attempt) for row in rows}


_EXPIRE = text("""
    WITH late AS (
        SELECT id, attempt FROM jobs
        WHERE status = 'running' AND lease_until < now()
          AND pg_postmaster_start_time() + make_interval(secs => :lease) < now()
        ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE attempts a SET ended_at = now(), outcome = 'lost', error = 'The worker vanished and its lease ran out.'
        FROM late l WHERE a.job_id = l.id AND a.attempt = l.attempt
    )
    UPDATE jobs j SET status = 'queued', worker = NULL, lease_until = NULL, published_at = NULL, stage = '',
           not_before = now(), queued_at = now(), updated_at = now()
    FROM late l WHERE j.id = l.id
    RETURNING j.id, j.attempt""")


def expire(connection: Connection, *, lease_seconds: float, most: int) -> list[Hold]:
    """Queue jobs again whose worker let the lease run out.

    Nothing expires before the database has been up for one lease time: its absence kept workers from renewing.
    """
    rows = connection.execute(_EXPIRE, {"lease": lease_seconds, "most": most})
    return [Hold(row.id, row.attempt) for row in rows]


_HELD_ON = text("""
    SELECT j.id, j.attempt, a.steps_stored, w.id = :worker AS here
    FROM jobs j JOIN workers w ON w.id = j.worker JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt
    WHERE j.status = 'running' AND w.instance = :instance ORDER BY j.id""")


def recover(
    connection: Connection, instance: str, worker: str, backoff: Backoff
) -> tuple[set[Hold], dict[Hold, JobStatus]]:
    """Settle what agents before this one held on the same VM; return what was released and what was failed.

    What an earlier boot held is lost, and free before its lease runs out. Of this boot, a job that had stored a step
    since is simply released; one that had not counts one failure, so that a file that kills the agent cannot do so
    for ever.
    """
    found = connection.execute(_HELD_ON, {"instance": instance, "worker": worker}).all()
    orphans = [Hold(row.id, row.attempt) for row in found if not row.here]
    held = [row for row in found if row.here]
    moved = [Hold(row.id, row.attempt) for row in held if row.steps_stored]
    stuck = [Failure(row.id, row.attempt, "The worker process died while it held this file.", permanent=False)
             for row in held if not row.steps_stored]  # fmt: skip
    lost = release(connection, orphans, outcome=Outcome.LOST, reason="The VM lost its power and was started again.")
    released = release(connection, moved, outcome=Outcome.LOST, reason="The worker process died and came back.")
    return lost | released, fail(connection, stuck, backoff)


_CANCEL = text("""
    WITH live AS (
        SELECT id, attempt, status FROM jobs
        WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN ('queued', 'running') ORDER BY id FOR UPDATE
    ), ended AS (
        UPDATE attempts a SET ended_at = now(), outcome = 'cancelled', error = :reason
        FROM live l WHERE l.status = 'running' AND a.job_id = l.id AND a.attempt = l.attempt
    )
    UPDATE jobs j SET status = 'cancelled', worker = NULL, lease_until = NULL, stage = '', error = :reason,
           finished_at = now(), updated_at = now()
    FROM live l WHERE j.id = l.id
    RETURNING j.id""")


def cancel(connection: Connection, ids: Sequence[uuid.UUID], *, reason: str) -> set[uuid.UUID]:
    """Stop jobs that are queued or running; their workers notice at the next renewal. Return those that were."""
    rows = connection.execute(_CANCEL, {"ids": "{" + ",".join(map(str, ids)) + "}", "reason": reason})
    return set(rows.scalars())


_REROUTE = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, pipeline text)
    ), free AS (
        SELECT j.id, r.pipeline FROM jobs j JOIN r USING (id)
        WHERE j.status IN ('failed', 'cancelled') AND j.pipeline = :unrouted
          AND NOT EXISTS (SELECT FROM jobs other WHERE other.pipeline = r.pipeline
                          AND (other.bucket, other.object, other.generation) = (j.bucket, j.object, j.generation))
        ORDER BY j.id FOR UPDATE OF j
    )
    UPDATE jobs j SET pipeline = f.pipeline, updated_at = now() FROM free f WHERE j.id = f.id
    RETURNING j.id""")


def reroute(connection: Connection, pipelines: Mapping[uuid.UUID, str]) -> set[uuid.UUID]:
    """Give jobs that no pipeline accepted to one that does now; return those whose object has no job there already."""
    if not pipelines:
        return set()
    rows = _rows({"id": job, "pipeline": pipeline} for job, pipeline in pipelines.items())
    return set(connection.execute(_REROUTE, rows | {"unrouted": UNROUTED}).scalars())


_RETRY = text("""
    UPDATE jobs SET status = 'queued', failures = 0, error = NULL, progress = 0, stage = '', published_at = NULL, worker = NULL,
           not_before = now(), queued_at = now(), finished_at = NULL, updated_at = now()
    WHERE id IN (SELECT id FROM jobs WHERE id = ANY(CAST(:ids AS uuid[])) AND status IN ('failed', 'cancelled')
                   AND generation > 0 ORDER BY id FOR UPDATE)
      AND status IN ('failed', 'cancelled')
    RETURNING id, queued_at""")


def retry(connection: Connection, ids: Sequence[uuid.UUID]) -> list[Pending]:
    """Queue failed or cancelled jobs again, with their failures forgotten; return those that were.

    One whose object was not there when it was asked for (generation 0) has nothing to be tried on.
    """
    rows = connection.execute(_RETRY, {"ids": "{" + ",".join(map(str, ids)) + "}"})
    return [Pending(row.id, row.queued_at) for row in rows]


_SUPERSEDE_HELD = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, attempt bigint)
    ), mine AS (
        SELECT j.id, j.attempt FROM jobs j JOIN r USING (id)
        WHERE j.attempt = r.attempt AND j.status = 'running' ORDER BY j.id FOR UPDATE OF j
    ), ended AS (
        UPDATE attempts a SET ended_at = now(), outcome = 'cancelled', error = :reason
        FROM mine m WHERE a.job_id = m.id AND a.attempt = m.attempt
    )
    UPDATE jobs j SET status = 'superseded', worker = NULL, lease_until = NULL, stage = '', error = :reason,
           finished_at = now(), updated_at = now()
    FROM mine m WHERE j.id = m.id
    RETURNING j.id, j.attempt""")


def supersede(connection: Connection, holds: Sequence[Hold], *, reason: str) -> set[Hold]:
    """End jobs whose source its holder found overwritten or deleted; return those that were still held."""
    if not holds:
        return set()
    return {Hold(r.id, r.attempt) for r in connection.execute(_SUPERSEDE_HELD, _rows(holds) | {"reason": reason})}


_SUPERSEDE_DELETED = text("""
    UPDATE jobs SET status = 'superseded', finished_at = now(), updated_at = now(),
           error = 'The file was overwritten or deleted before it was processed.'
    WHERE bucket = :bucket AND object = :object AND generation = CAST(:generation AS bigint) AND status = 'queued'
    RETURNING id""")


def supersede_deleted(connection: Connection, bucket: str, name: str, generation: int) -> list[uuid.UUID]:
    """End queued jobs of an object generation that no longer exists."""
    rows = connection.execute(_SUPERSEDE_DELETED, {"bucket": bucket, "object": name, "generation": generation})
    return list(rows.scalars())
