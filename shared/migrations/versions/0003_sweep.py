"""What the tick must look for: files that nobody needs, and messages that Pub/Sub has forgotten."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The column stays null for what leaves nothing behind: a first attempt that succeeded and stored no step. An earlier
# attempt may have stored steps that its row does not tell of, as it died before it could say so.
SWEEP = """
ALTER TABLE attempts ADD COLUMN sweep_at TIMESTAMPTZ;
UPDATE attempts SET sweep_at = ended_at
    WHERE ended_at IS NOT NULL AND (outcome <> 'succeeded' OR steps_stored > 0 OR attempt > 1);
CREATE INDEX attempts_sweep ON attempts (sweep_at) WHERE sweep_at IS NOT NULL;

CREATE FUNCTION sweep_after_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.sweep_at := NEW.ended_at;
    RETURN NEW;
END $$;

CREATE TRIGGER attempts_ended BEFORE UPDATE ON attempts FOR EACH ROW
    WHEN (OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
          AND (NEW.outcome <> 'succeeded' OR NEW.steps_stored > 0 OR NEW.attempt > 1))
    EXECUTE FUNCTION sweep_after_attempt();

-- A job that ends while it waits has steps of earlier attempts, which were kept until now.
CREATE FUNCTION sweep_after_waiting() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE attempts SET sweep_at = NEW.finished_at WHERE job_id = NEW.id AND attempt = NEW.attempt;
    RETURN NULL;
END $$;

CREATE TRIGGER jobs_ended_waiting AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (OLD.status = 'queued' AND NEW.status NOT IN ('queued', 'running') AND NEW.attempt > 0)
    EXECUTE FUNCTION sweep_after_waiting();
"""

# Found without a walk through the whole queue.
REPUBLISH = """
CREATE INDEX jobs_published ON jobs (published_at) WHERE status = 'queued' AND published_at IS NOT NULL;
"""


def upgrade() -> None:
    op.execute(SWEEP)
    op.execute(REPUBLISH)
