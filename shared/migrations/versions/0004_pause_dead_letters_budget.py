"""What people must know and decide of: a pause of the whole queue, messages nobody could deliver, a spent budget."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE pauses (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    paused_by TEXT NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    resumed_by TEXT,
    resumed_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX pauses_open ON pauses ((true)) WHERE resumed_at IS NULL;

CREATE TABLE dead_letters (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    message_id TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    subscription TEXT NOT NULL,
    delivery_attempts BIGINT NOT NULL,
    job_id UUID,
    data BYTEA NOT NULL,
    size_bytes BIGINT NOT NULL,
    attributes JSONB NOT NULL,
    replayed_at TIMESTAMP WITH TIME ZONE,
    replayed_by TEXT,
    discarded_at TIMESTAMP WITH TIME ZONE,
    discarded_by TEXT,
    PRIMARY KEY (id),
    CONSTRAINT dead_letters_message UNIQUE (message_id)
);
CREATE INDEX dead_letters_open ON dead_letters (received_at DESC, id DESC)
    WHERE replayed_at IS NULL AND discarded_at IS NULL;

CREATE TABLE budgets (
    name TEXT NOT NULL,
    cost DOUBLE PRECISION NOT NULL,
    amount DOUBLE PRECISION NOT NULL,
    currency TEXT NOT NULL,
    interval_start TIMESTAMP WITH TIME ZONE NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE NOT NULL,
    spent_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (name)
);
ALTER TABLE runs ADD COLUMN beyond_budget BOOLEAN DEFAULT false NOT NULL;
"""

ACCESS = """
GRANT SELECT ON pauses TO spotmill_web, spotmill_dispatcher, spotmill_worker;
GRANT INSERT, UPDATE ON pauses TO spotmill_web;

ALTER TABLE dead_letters ENABLE ROW LEVEL SECURITY;
CREATE POLICY dead_letters_admins ON dead_letters TO spotmill_web USING (current_setting('spotmill.admin', true) = 'on');
CREATE POLICY dead_letters_services ON dead_letters TO spotmill_dispatcher USING (true);
GRANT SELECT, UPDATE ON dead_letters TO spotmill_web;
GRANT SELECT, INSERT ON dead_letters TO spotmill_dispatcher;

GRANT SELECT ON budgets TO spotmill_web;
GRANT SELECT, INSERT, UPDATE ON budgets TO spotmill_dispatcher;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(ACCESS)
