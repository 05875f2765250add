"""What attempts may have left in the result bucket that nobody needs: ``attempts.sweep_at`` says when to look.

Two triggers set it: when an attempt ends that lost or stored steps, and when a job ends while it waits. A first attempt
that succeeded without steps leaves nothing and costs nothing, and neither does a job that nobody has begun.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Leftover:
    """What to delete of one attempt: its ``outputs``, the job's ``steps``, both or neither."""

    job: uuid.UUID
    attempt: int
    outputs: bool
    steps: bool
    since: datetime  #: ``sweep_at`` as it was read
    again_at: datetime | None  #: when to look again; None: never


# Outputs go unless the attempt won. Steps go with the job's last attempt, once nobody can run the job again: at once
# if it succeeded or its source is gone, after the retention if a person may still retry it, and not while it is open:
# then the next attempt's end brings the job back here.
_DUE = text("""
    SELECT a.job_id, a.attempt, a.sweep_at, s.last AND (s.over OR s.stale) AS steps,
           CASE WHEN s.last AND s.retryable AND NOT s.stale THEN s.stale_at END AS again_at,
           a.outcome <> 'succeeded'
               AND NOT EXISTS (SELECT FROM artifacts f WHERE f.job_id = a.job_id AND f.attempt = a.attempt) AS outputs
    FROM attempts a JOIN jobs j ON j.id = a.job_id,
         LATERAL (SELECT j.attempt = a.attempt AS last,
                         j.status IN ('succeeded', 'superseded') AS over,
                         j.status IN ('failed', 'cancelled') AS retryable,
                         j.finished_at + make_interval(secs => :retention) AS stale_at,
                         j.status IN ('failed', 'cancelled')
                             AND j.finished_at + make_interval(secs => :retention) <= now() AS stale) AS s
    WHERE a.sweep_at <= now() - make_interval(secs => :settle)
    ORDER BY a.sweep_at LIMIT :most""")


def due(connection: Connection, *, settle_seconds: float, retention_seconds: float, most: int) -> list[Leftover]:
    """List attempts whose files are to go, the longest due first.

    None that ended within ``settle_seconds``: its worker may not know yet, and be sending still.
    """
    values = {"settle": settle_seconds, "retention": retention_seconds, "most": most}
    return [
        Leftover(r.job_id, r.attempt, r.outputs, r.steps, r.sweep_at, r.again_at)
        for r in connection.execute(_DUE, values)
    ]


# An attempt whose time was set anew meanwhile, or is at this moment, keeps the new one.
_SETTLE = text("""
    UPDATE attempts a SET sweep_at = s.again_at
    FROM (SELECT b.job_id, b.attempt, CASE WHEN :refused THEN now() ELSE r.again_at END AS again_at
          FROM jsonb_to_recordset(CAST(:rows AS jsonb))
               AS r(job uuid, attempt bigint, since timestamptz, again_at timestamptz)
          JOIN attempts b ON b.job_id = r.job AND b.attempt = r.attempt AND b.sweep_at = r.since
          FOR UPDATE OF b SKIP LOCKED) AS s
    WHERE a.job_id = s.job_id AND a.attempt = s.attempt""")


def swept(connection: Connection, done: Sequence[Leftover]) -> None:
    """Note that nothing is left of these, until ``again_at``."""
    _settle(connection, done, refused=False)


def put_off(connection: Connection, refused: Sequence[Leftover]) -> None:
    """Have these wait as if they had just ended, so that what cannot be deleted does not stand before the others."""
    _settle(connection, refused, refused=True)


def _settle(connection: Connection, leftovers: Sequence[Leftover], *, refused: bool) -> None:
    if leftovers:
        rows = _rows([(one.job, one.attempt, one.since, one.again_at) for one in leftovers])
        connection.execute(_SETTLE, {"rows": rows, "refused": refused})


_FOUND = text("""
    WITH r AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(job uuid, attempt bigint)
    ), left_behind AS (
        SELECT a.job_id, a.attempt FROM r JOIN attempts a ON a.job_id = r.job AND a.attempt = r.attempt
        WHERE a.outcome <> 'succeeded'
        UNION
        SELECT a.job_id, a.attempt FROM r JOIN jobs j ON j.id = r.job
        JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt
        WHERE r.attempt IS NULL AND (j.status IN ('succeeded', 'superseded') OR
            j.status IN ('failed', 'cancelled') AND j.finished_at + make_interval(secs => :retention) <= now())
    )
    UPDATE attempts a SET sweep_at = a.ended_at
    FROM (SELECT b.job_id, b.attempt FROM left_behind l JOIN attempts b USING (job_id, attempt)
          WHERE b.sweep_at IS NULL OR b.sweep_at > now() FOR UPDATE OF b SKIP LOCKED) AS s
    WHERE a.job_id = s.job_id AND a.attempt = s.attempt
    RETURNING a.job_id""")


def found(connection: Connection, seen: Sequence[tuple[uuid.UUID, int | None]], *, retention_seconds: float) -> int:
    """Have those swept again whose files were seen in the bucket; return how many there are.

    ``seen`` are jobs with the attempt whose outputs lie there, or with None for steps. What belongs to a winner, to a
    job that may run again, or to no job at all is left alone: a database that was restored from yesterday's backup
    must not cost today's results.
    """
    rows = _rows([(job, attempt, None, None) for job, attempt in seen])
    return len(connection.execute(_FOUND, {"rows": rows, "retention": retention_seconds}).all())


def _rows(items: Sequence[tuple[uuid.UUID, int | None, datetime | None, datetime | None]]) -> str:
    names = ("job", "attempt", "since", "again_at")
    return json.dumps([dict(zip(names, item, strict=True)) for item in items], default=str)
