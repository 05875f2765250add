"""Jobs, attempts, artifacts, runs, workers, pipelines, counts; who may see and change them."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE job_count_deltas (
    id BIGSERIAL NOT NULL,
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    delta BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE job_counts (
    owner TEXT NOT NULL,
    status TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (owner, status)
);
CREATE TABLE jobs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    bucket TEXT NOT NULL,
    object TEXT NOT NULL,
    generation BIGINT NOT NULL,
    pipeline TEXT NOT NULL,
    owner TEXT,
    size_bytes BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    crc32c TEXT,
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    status VARCHAR(16) DEFAULT 'queued' NOT NULL,
    progress DOUBLE PRECISION DEFAULT '0' NOT NULL,
    stage TEXT DEFAULT '' NOT NULL,
    attempt BIGINT DEFAULT '0' NOT NULL,
    failures BIGINT DEFAULT '0' NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    worker TEXT,
    lease_until TIMESTAMP WITH TIME ZONE,
    error TEXT,
    result JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    queued_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    CONSTRAINT jobs_identity UNIQUE (bucket, object, generation, pipeline),
    CONSTRAINT jobs_progress CHECK (progress BETWEEN 0 AND 1),
    CONSTRAINT jobs_lease CHECK ((status = 'running') = (lease_until IS NOT NULL)),
    CONSTRAINT jobstatus CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'superseded'))
);
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_leases ON jobs (lease_until) WHERE status = 'running';
CREATE INDEX jobs_newest ON jobs (created_at DESC, id DESC);
CREATE INDEX jobs_object_search ON jobs USING gin (object gin_trgm_ops);
CREATE INDEX jobs_owner_newest ON jobs (owner, created_at DESC, id DESC);
CREATE INDEX jobs_pipeline_newest ON jobs (pipeline, created_at DESC, id DESC);
CREATE INDEX jobs_queue ON jobs (not_before) WHERE status = 'queued';
CREATE INDEX jobs_status_newest ON jobs (status, created_at DESC, id DESC);
CREATE INDEX jobs_unpublished ON jobs (not_before) WHERE status = 'queued' AND published_at IS NULL;
CREATE INDEX jobs_worker ON jobs (worker) WHERE status = 'running';
CREATE TABLE pipelines (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    accepts TEXT[] NOT NULL,
    settings_schema JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE runs (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    started_by TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    workers BIGINT NOT NULL,
    stop_mode VARCHAR(16),
    stopped_by TEXT,
    stopped_at TIMESTAMP WITH TIME ZONE,
    ended_at TIMESTAMP WITH TIME ZONE,
    end_reason TEXT,
    jobs_done BIGINT DEFAULT '0' NOT NULL,
    vm_seconds DOUBLE PRECISION DEFAULT '0' NOT NULL,
    cost_usd DOUBLE PRECISION,
    problem TEXT,
    PRIMARY KEY (id),
    CONSTRAINT stopmode CHECK (stop_mode IN ('drain', 'now'))
);
CREATE UNIQUE INDEX runs_open ON runs ((true)) WHERE ended_at IS NULL;
CREATE TABLE workers (
    id TEXT NOT NULL,
    instance TEXT NOT NULL,
    zone TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    machine_type TEXT NOT NULL,
    slots BIGINT NOT NULL,
    state VARCHAR(16) DEFAULT 'starting' NOT NULL,
    stop_mode VARCHAR(16),
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    end_reason TEXT,
    PRIMARY KEY (id),
    CONSTRAINT workers_boot UNIQUE (instance, boot_id),
    CONSTRAINT workerstate CHECK (state IN ('starting', 'idle', 'busy', 'leaving', 'gone')),
    CONSTRAINT stopmode CHECK (stop_mode IN ('drain', 'now'))
);
CREATE INDEX workers_alive ON workers (instance) WHERE state <> 'gone';
CREATE INDEX workers_ended ON workers (ended_at);
CREATE TABLE artifacts (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    job_id UUID NOT NULL,
    attempt BIGINT NOT NULL,
    kind TEXT NOT NULL,
    bucket TEXT NOT NULL,
    object TEXT NOT NULL,
    generation BIGINT NOT NULL,
    content_type TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    crc32c TEXT NOT NULL,
    filename TEXT NOT NULL,
    metadata JSONB DEFAULT '{}'::jsonb NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT artifacts_kind UNIQUE (job_id, kind),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE
);
CREATE TABLE attempts (
    job_id UUID NOT NULL,
    attempt BIGINT NOT NULL,
    worker TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    outcome VARCHAR(16),
    error TEXT,
    steps_stored BIGINT DEFAULT '0' NOT NULL,
    saved_seconds DOUBLE PRECISION DEFAULT '0' NOT NULL,
    PRIMARY KEY (job_id, attempt),
    FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE,
    CONSTRAINT outcome CHECK (outcome IN ('succeeded', 'failed', 'preempted', 'lost', 'cancelled', 'fenced'))
);
CREATE INDEX attempts_open ON attempts (worker) WHERE ended_at IS NULL;
"""

#: The roll-up of jobs by owner and status: every statement appends its changes, nobody waits for a counter.
COUNTS = """
CREATE FUNCTION note_job_counts() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO job_count_deltas (owner, status, delta)
        SELECT coalesce(owner, ''), status, count(*) FROM new_rows GROUP BY 1, 2;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO job_count_deltas (owner, status, delta)
        SELECT coalesce(owner, ''), status, -count(*) FROM old_rows GROUP BY 1, 2;
    ELSE
        INSERT INTO job_count_deltas (owner, status, delta)
        SELECT owner, status, sum(delta) FROM (
            SELECT coalesce(owner, '') AS owner, status, 1 AS delta FROM new_rows
            UNION ALL SELECT coalesce(owner, ''), status, -1 FROM old_rows) AS changes
        GROUP BY 1, 2 HAVING sum(delta) <> 0;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_job_counts();
CREATE TRIGGER jobs_updated AFTER UPDATE ON jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_job_counts();
CREATE TRIGGER jobs_deleted AFTER DELETE ON jobs REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION note_job_counts();

-- Called by the tick: moves the appended changes into the totals.
CREATE FUNCTION fold_job_counts() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
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

#: What row-level security asks, and what the web may learn beyond its own rows.
ACCESS = """
CREATE FUNCTION sees(owner text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT owner IS NULL OR owner = current_setting('spotmill.user', true)
        OR current_setting('spotmill.admin', true) = 'on'
$$;

-- Counts of the jobs that the person may see.
CREATE FUNCTION visible_job_counts() RETURNS TABLE (status text, count bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT status, sum(n)::bigint FROM (
        SELECT status, count AS n, owner FROM job_counts UNION ALL SELECT status, delta, owner FROM job_count_deltas) AS c
    WHERE owner = '' OR sees(owner) GROUP BY status
$$;

-- The whole queue, whoever owns it: sizes the fleet, names nobody.
CREATE FUNCTION fleet_backlog() RETURNS TABLE (due bigint, waiting bigint, running bigint, due_bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FILTER (WHERE status = 'queued' AND not_before <= now()),
           count(*) FILTER (WHERE status = 'queued' AND not_before > now()),
           count(*) FILTER (WHERE status = 'running'),
           coalesce(sum(size_bytes) FILTER (WHERE status = 'queued' AND not_before <= now()), 0)::bigint
    FROM jobs WHERE status IN ('queued', 'running')
$$;

-- The workers that are not gone, with the number of jobs each holds, whoever owns them.
CREATE FUNCTION fleet_workers()
RETURNS TABLE (id text, instance text, state text, slots bigint, started_at timestamptz, last_seen timestamptz, jobs bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT w.id, w.instance, w.state, w.slots, w.started_at, w.last_seen,
           (SELECT count(*) FROM jobs j WHERE j.status = 'running' AND j.worker = w.id)
    FROM workers w WHERE w.state <> 'gone'
$$;

CREATE FUNCTION run_jobs_done(since timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM jobs WHERE finished_at >= since AND status IN ('succeeded', 'failed') AND attempt > 0
$$;

-- Seconds that VMs were up since then; a boot that vanished counts until it was last seen.
CREATE FUNCTION run_vm_seconds(since timestamptz) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(extract(epoch FROM coalesce(ended_at, now()) - greatest(started_at, since))), 0)::float8
    FROM workers WHERE coalesce(ended_at, now()) > since
$$;

DO $$
DECLARE role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['spotmill_web', 'spotmill_dispatcher', 'spotmill_worker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role);
    END LOOP;
END $$;

REVOKE EXECUTE ON FUNCTION fold_job_counts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION fold_job_counts() TO spotmill_dispatcher;

ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
ALTER TABLE artifacts ENABLE ROW LEVEL SECURITY;
CREATE POLICY jobs_people ON jobs TO spotmill_web USING (sees(owner));
CREATE POLICY attempts_people ON attempts TO spotmill_web USING (EXISTS (SELECT FROM jobs j WHERE j.id = job_id));
CREATE POLICY artifacts_people ON artifacts TO spotmill_web USING (EXISTS (SELECT FROM jobs j WHERE j.id = job_id));
CREATE POLICY jobs_services ON jobs TO spotmill_dispatcher, spotmill_worker USING (true);
CREATE POLICY attempts_services ON attempts TO spotmill_dispatcher, spotmill_worker USING (true);
CREATE POLICY artifacts_services ON artifacts TO spotmill_dispatcher, spotmill_worker USING (true);

GRANT SELECT, UPDATE ON jobs, attempts TO spotmill_web;
GRANT SELECT ON artifacts, pipelines, workers, runs TO spotmill_web;
GRANT INSERT, UPDATE ON runs TO spotmill_web;
GRANT UPDATE (state, stop_mode) ON workers TO spotmill_web;

GRANT SELECT, INSERT, UPDATE ON jobs, attempts TO spotmill_dispatcher;
GRANT SELECT ON artifacts, pipelines TO spotmill_dispatcher;
GRANT SELECT, UPDATE ON runs, workers TO spotmill_dispatcher;

GRANT SELECT, UPDATE ON jobs TO spotmill_worker;
GRANT SELECT, INSERT, UPDATE ON attempts, workers TO spotmill_worker;
GRANT SELECT, INSERT ON artifacts TO spotmill_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON pipelines TO spotmill_worker;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(COUNTS)
    op.execute(ACCESS)
