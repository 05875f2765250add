"""Lists and the queue at a glance that stay quick with a million jobs, whatever is asked of them."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# A list of one pipeline is one walk for each state (and owner), which reads past no rows of other pipelines.
INDEXES = """
DROP INDEX jobs_pipeline_newest;
CREATE INDEX jobs_pipeline_newest ON jobs (pipeline, status, created_at DESC, id DESC);
CREATE INDEX jobs_owner_pipeline_newest
    ON jobs ((CASE WHEN owner IS NULL THEN '' ELSE owner END), pipeline, status, created_at DESC, id DESC);
"""

# What a long run has done is counted by the tick, but for the last minute, in which transactions may still be open.
RUNS = """
ALTER TABLE runs ADD COLUMN jobs_counted BIGINT DEFAULT '0' NOT NULL;
ALTER TABLE runs ADD COLUMN counted_until TIMESTAMP WITH TIME ZONE;

CREATE OR REPLACE FUNCTION run_jobs_done(since timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(max(r.jobs_counted), 0) + (
        SELECT count(*) FROM jobs
        WHERE finished_at >= coalesce(max(r.counted_until), since) AND status IN ('succeeded', 'failed') AND attempt > 0)
    FROM runs r WHERE r.started_at = since AND r.ended_at IS NULL
$$;

-- Called by the tick: moves the appended changes into the totals, and what has ended into the count of the open run.
CREATE OR REPLACE FUNCTION fold_job_counts() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE runs r SET counted_until = now() - interval '1 min', jobs_counted = r.jobs_counted + (
        SELECT count(*) FROM jobs
        WHERE finished_at >= coalesce(r.counted_until, r.started_at) AND finished_at < now() - interval '1 min'
          AND status IN ('succeeded', 'failed') AND attempt > 0)
    WHERE r.ended_at IS NULL AND coalesce(r.counted_until, r.started_at) < now() - interval '1 min';

    WITH taken AS (
        DELETE FROM job_count_deltas WHERE id IN (SELECT id FROM job_count_deltas ORDER BY id FOR UPDATE SKIP LOCKED)
        RETURNING owner, status, delta
    ), folded AS (
        INSERT INTO job_counts AS c (owner, status, count)
        SELECT owner, status, sum(delta) FROM taken GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT (owner, status) DO UPDATE SET count = c.count + excluded.count
    )
    SELECT count(*) FROM taken
$$;
"""

# As lists do, a search makes a walk for each owner and state, newest first. '= ANY' would bar it from that. A word that
# few names have, as Postgres judges, may be found by its trigrams; for one that many have they cost more than they save,
# which the planner underestimates: without bitmaps it cannot use them. VOLATILE, or it could neither ask nor tell it.
SEARCH = r"""
CREATE OR REPLACE FUNCTION search_jobs(q text, states text[], wanted_pipeline text, older_than timestamptz, older_than_id uuid, most int)
RETURNS TABLE (id uuid) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    pattern text := CASE WHEN length(q) < 3 THEN '' ELSE '%' END || regexp_replace(q, '([\\%_])', '\\\1', 'g') || '%';
    rules text := 'true';
    person text := coalesce(current_setting('spotmill.user', true), '');
    owners text[] := CASE WHEN current_setting('spotmill.admin', true) = 'on' THEN ARRAY[NULL]
                          WHEN person = '' THEN ARRAY[''] ELSE ARRAY['', person] END;
    walks text[] := '{}';
    judged json;
    common boolean := false;
    one_owner text;
    one_state text;
BEGIN
    IF q <> '' THEN
        rules := format($q$regexp_replace(j.object, '^.*/', '') ILIKE %L$q$, pattern);
        EXECUTE 'EXPLAIN (FORMAT JSON) SELECT FROM jobs j WHERE ' || rules INTO judged;
        common := (judged -> 0 -> 'Plan' ->> 'Plan Rows')::float8 > 5000;
    END IF;
    IF states IS NULL THEN
        states := CASE WHEN wanted_pipeline IS NULL THEN ARRAY[NULL]
                       ELSE ARRAY['queued', 'running', 'succeeded', 'failed', 'cancelled', 'superseded'] END;
    END IF;
    IF wanted_pipeline IS NOT NULL THEN
        rules := rules || format(' AND j.pipeline = %L', wanted_pipeline);
    END IF;
    IF older_than IS NOT NULL THEN
        rules := rules || format(' AND (j.created_at, j.id) < (%L::timestamptz, %L::uuid)', older_than, older_than_id);
    END IF;
    FOREACH one_owner IN ARRAY owners LOOP
        FOREACH one_state IN ARRAY states LOOP
            walks := walks || format(
                '(SELECT j.id, j.created_at FROM jobs j WHERE %s%s%s ORDER BY j.created_at DESC, j.id DESC LIMIT %s)',
                rules,
                CASE WHEN one_owner IS NOT NULL
                     THEN format(' AND (CASE WHEN j.owner IS NULL THEN %L ELSE j.owner END) = %L', '', one_owner) END,
                CASE WHEN one_state IS NOT NULL THEN format(' AND j.status = %L', one_state) END,
                most);
        END LOOP;
    END LOOP;
    PERFORM set_config('enable_bitmapscan', CASE WHEN common THEN 'off' ELSE 'on' END, true);
    RETURN QUERY EXECUTE format(
        'SELECT w.id FROM (%s) AS w ORDER BY w.created_at DESC, w.id DESC LIMIT %s',
        array_to_string(walks, ' UNION ALL '), most);
    PERFORM set_config('enable_bitmapscan', 'on', true);
END $$;
"""


def upgrade() -> None:
    op.execute(INDEXES)
    op.execute(RUNS)
    op.execute(SEARCH)
