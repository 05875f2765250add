"""How the mill stands, in a few numbers: each tick logs them, and metrics and alerts are made of that line."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

_VITALS = text("""
    SELECT b.due, b.waiting, b.running, EXISTS (SELECT FROM pauses WHERE resumed_at IS NULL) AS paused,
           coalesce(extract(epoch FROM now() - (SELECT min(not_before) FROM jobs WHERE status = 'queued'
                                                AND not_before <= now())), 0)::float8 AS oldest_seconds,
           (SELECT count(*) FROM workers WHERE state <> 'gone') AS workers,
           EXISTS (SELECT FROM runs WHERE ended_at IS NULL) AS run_open
    FROM fleet_backlog() b""")


@dataclass(frozen=True, slots=True)
class Vitals:
    """The queue and the fleet at one moment."""

    queued: int  #: jobs that are due
    waiting: int  #: jobs that wait for their ``not_before``
    running: int
    oldest_seconds: float  #: for how long the oldest job that is due has been so; 0 if none is
    workers: int  #: boots of VMs that are not gone
    run_open: bool
    paused: bool


def read_vitals(connection: Connection) -> Vitals:
    """Look at queue and fleet."""
    row = connection.execute(_VITALS).one()
    return Vitals(
        row.due, row.waiting, row.running, round(row.oldest_seconds, 1), row.workers, row.run_open, row.paused
    )
