"""How long the queue is, whoever owns the jobs."""

from sqlalchemy import Connection, text

from shared.fleet import Backlog

_BACKLOG = text("""
    SELECT due, waiting, running, EXISTS (SELECT FROM pauses WHERE resumed_at IS NULL) AS paused
    FROM fleet_backlog()""")


def read_backlog(connection: Connection) -> Backlog:
    """Count the jobs that are not over, by what they wait for."""
    row = connection.execute(_BACKLOG).one()
    return Backlog(row.due, row.waiting, row.running, row.paused)
