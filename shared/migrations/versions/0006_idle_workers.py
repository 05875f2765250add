"""Workers leave at once that come up after Stop, and say since when they have nothing to do."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT SELECT (ended_at, stopped_at, stop_mode) ON runs TO spotmill_worker")
    op.execute("ALTER TABLE workers ADD COLUMN idle_since TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE workers DROP COLUMN idle_since")
    op.execute("REVOKE SELECT (ended_at, stopped_at, stop_mode) ON runs FROM spotmill_worker")
