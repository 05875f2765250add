"""What the web reads besides its own rows, and the indexes that keep every page as quick with a million jobs."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = """
-- One walk for each owner and state. '' stands for jobs without an owner, as an index cannot be ordered behind IS NULL;
-- CASE, as Postgres takes coalesce for leaky and row-level security would bar it from the index.
DROP INDEX jobs_owner_newest;
CREATE INDEX jobs_owner_newest ON jobs ((CASE WHEN owner IS NULL THEN '' ELSE owner END), created_at DESC, id DESC);
CREATE INDEX jobs_owner_status_newest
    ON jobs ((CASE WHEN owner IS NULL THEN '' ELSE owner END), status, created_at DESC, id DESC);
-- The directory of an upload's name is a date and a random id, which nobody searches for.
DROP INDEX jobs_object_search;
CREATE INDEX jobs_filename_search ON jobs USING gin (regexp_replace(object, '^.*/', '') gin_trgm_ops);
-- What a run has done is counted from the index alone.
CREATE INDEX jobs_done ON jobs (finished_at) WHERE status IN ('succeeded', 'failed') AND attempt > 0;
"""

FUNCTIONS = """
-- What every worker does now; somebody else's job has neither id nor name.
CREATE FUNCTION fleet_jobs()
RETURNS TABLE (worker text, id uuid, object text, pipeline text, stage text, progress double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT worker, CASE WHEN sees(owner) THEN id END, CASE WHEN sees(owner) THEN object END, pipeline, stage, progress
    FROM jobs WHERE status = 'running' AND worker IS NOT NULL ORDER BY worker, jobs.id
$$;

-- The pipelines of the next jobs, and how long their jobs ran lately (median). Bounded, however long the queue is.
CREATE FUNCTION queue_outlook() RETURNS TABLE (pipeline text, queued bigint, median_seconds double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH next AS (
        SELECT n.pipeline, count(*) AS queued
        FROM (SELECT pipeline FROM jobs WHERE status = 'queued' ORDER BY not_before LIMIT 500) AS n GROUP BY 1
    ), recent AS (
        SELECT r.pipeline, percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM r.finished_at - r.started_at)) AS median
        FROM (SELECT pipeline, status, started_at, finished_at FROM jobs WHERE status IN ('succeeded', 'failed') AND attempt > 0
              ORDER BY finished_at DESC LIMIT 200) AS r
        WHERE r.status = 'succeeded' GROUP BY 1
    )
    SELECT n.pipeline, n.queued, r.median FROM next n LEFT JOIN recent r USING (pipeline)
$$;

-- The whole queue, whoever owns it. The roll-up knows how many are queued; only those that wait and run are counted.
DROP FUNCTION fleet_backlog();
CREATE FUNCTION fleet_backlog() RETURNS TABLE (due bigint, waiting bigint, running bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH total AS (
        SELECT coalesce(sum(n) FILTER (WHERE status = 'queued'), 0)::bigint AS queued,
               coalesce(sum(n) FILTER (WHERE status = 'running'), 0)::bigint AS running
        FROM (SELECT status, count AS n FROM job_counts UNION ALL SELECT status, delta FROM job_count_deltas) AS c
    ), later AS (
        SELECT count(*) AS waiting FROM jobs WHERE status = 'queued' AND not_before > now()
    )
    SELECT queued - waiting, waiting, running FROM total, later
$$;

-- Ids of the newest jobs with q in their file's name, or at its beginning if q is shorter than a trigram. Row-level security would bar ILIKE from its index, so this applies
-- the owner rule itself. It is planned anew for each call: a rare word wants the trigrams, a common one the newest rows.
CREATE FUNCTION search_jobs(q text, states text[], wanted_pipeline text, older_than timestamptz, older_than_id uuid, most int)
RETURNS TABLE (id uuid) LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        $q$SELECT j.id FROM jobs j WHERE regexp_replace(j.object, '^.*/', '') ILIKE %L$q$,
        CASE WHEN length(q) < 3 THEN '' ELSE '%' END || regexp_replace(q, '([\\\\%_])', '\\\\\\1', 'g') || '%')
        || CASE WHEN states IS NOT NULL THEN format(' AND j.status = ANY(%L::text[])', states) ELSE '' END
        || CASE WHEN wanted_pipeline IS NOT NULL THEN format(' AND j.pipeline = %L', wanted_pipeline) ELSE '' END
        || CASE WHEN older_than IS NOT NULL
                THEN format(' AND (j.created_at, j.id) < (%L::timestamptz, %L::uuid)', older_than, older_than_id) ELSE '' END
        || CASE WHEN current_setting('spotmill.admin', true) = 'on' THEN ''
                ELSE format(' AND coalesce(j.owner, %L) IN (%L, %L)', '', '', current_setting('spotmill.user', true)) END
        || format(' ORDER BY j.created_at DESC, j.id DESC LIMIT %s', most);
END $$;
"""


def upgrade() -> None:
    op.execute(INDEXES)
    op.execute(FUNCTIONS)
