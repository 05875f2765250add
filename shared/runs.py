"""Runs: who pressed Run, how many VMs were asked for, what it cost and why it ended. At most one run is open."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from shared.models import StopMode

#: Key of the advisory lock under which Run, Stop and the tick change runs and fleet (any fixed number does).
_FLEET_LOCK = 0x5B07_311


@dataclass(frozen=True, slots=True)
class RunView:
    """A run. ``vm_seconds`` and ``jobs_done`` are up to date while it is open, too."""

    id: uuid.UUID
    started_by: str
    started_at: datetime
    workers: int
    stop_mode: StopMode | None
    stopped_by: str | None
    stopped_at: datetime | None
    ended_at: datetime | None
    end_reason: str | None
    jobs_done: int
    vm_seconds: float
    cost_usd: float | None
    problem: str | None
    beyond_budget: bool = False  #: an admin started it though the budget is spent


def lock_fleet(connection: Connection) -> None:
    """Wait for the one lock that guards runs and fleet; it is let go at the end of the transaction."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _FLEET_LOCK})


_START = text("""
    INSERT INTO runs (started_by, workers, beyond_budget) VALUES (:by, CAST(:workers AS bigint), :beyond_budget)
    ON CONFLICT ((true)) WHERE ended_at IS NULL DO UPDATE
        SET workers = CASE WHEN runs.stopped_at IS NULL THEN greatest(runs.workers, excluded.workers) ELSE excluded.workers END,
            beyond_budget = excluded.beyond_budget OR (runs.beyond_budget AND runs.stopped_at IS NULL),
            stop_mode = NULL, stopped_by = NULL, stopped_at = NULL
    RETURNING id""")


def start(connection: Connection, *, by: str, workers: int, beyond_budget: bool = False) -> RunView:
    """Open a run, or take up the open one again: pressing Run twice leaves one run, with the larger number of VMs."""
    lock_fleet(connection)
    connection.execute(_START, {"by": by, "workers": workers, "beyond_budget": beyond_budget})
    run = current(connection)
    if run is None:
        raise RuntimeError("the run that was just opened is not there")
    return run


_CURRENT = text("""
    SELECT r.id, r.started_by, r.started_at, r.workers, r.stop_mode, r.stopped_by, r.stopped_at, r.ended_at, r.end_reason,
           r.cost_usd, r.problem, r.beyond_budget, run_jobs_done(r.started_at) AS jobs_done, greatest(0, run_vm_seconds(r.started_at)) AS vm_seconds
    FROM runs r WHERE r.ended_at IS NULL""")

_LATEST = text("""
    SELECT id, started_by, started_at, workers, stop_mode, stopped_by, stopped_at, ended_at, end_reason, cost_usd, problem,
           jobs_done, vm_seconds, beyond_budget
    FROM runs WHERE ended_at IS NOT NULL ORDER BY started_at DESC LIMIT 1""")


def _view(connection: Connection, statement: object) -> RunView | None:
    row = connection.execute(statement).one_or_none()  # type: ignore[call-overload]  # both statements are text()
    if row is None:
        return None
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    values["stop_mode"] = StopMode(values["stop_mode"]) if values["stop_mode"] else None
    values["vm_seconds"] = float(values["vm_seconds"])
    return RunView(**values)


def current(connection: Connection) -> RunView | None:
    """Return the open run."""
    return _view(connection, _CURRENT)


def latest(connection: Connection) -> RunView | None:
    """Return the run that ended last."""
    return _view(connection, _LATEST)


_STOP = text("""
    UPDATE runs SET stop_mode = :mode, stopped_by = :by, stopped_at = coalesce(stopped_at, now())
    WHERE ended_at IS NULL RETURNING id""")

_STOP_WORKERS = text("UPDATE workers SET state = 'leaving', stop_mode = :mode WHERE state <> 'gone'")


def stop(connection: Connection, *, by: str, mode: StopMode) -> RunView | None:
    """Stop the open run: its workers are told to leave. Return it, or None if none is open."""
    lock_fleet(connection)
    if connection.execute(_STOP, {"mode": mode.value, "by": by}).one_or_none() is None:
        return None
    connection.execute(_STOP_WORKERS, {"mode": mode.value})
    return current(connection)


_STOP_LATECOMERS = text("""
    UPDATE workers w SET state = 'leaving', stop_mode = r.stop_mode
    FROM runs r WHERE r.ended_at IS NULL AND r.stopped_at IS NOT NULL AND w.state NOT IN ('leaving', 'gone')""")


def stop_latecomers(connection: Connection) -> None:
    """Tell workers to leave whose VM was still booting when the open run was stopped."""
    connection.execute(_STOP_LATECOMERS)


_NOTE_PROBLEM = text(
    "UPDATE runs SET problem = CAST(:problem AS text) WHERE ended_at IS NULL AND problem IS DISTINCT FROM CAST(:problem AS text)"
)


def note_problem(connection: Connection, problem: str | None) -> None:
    """Write what keeps VMs from starting beside the open run, or that nothing does any more."""
    connection.execute(_NOTE_PROBLEM, {"problem": problem})


_CLOSE = text("""
    UPDATE runs SET ended_at = now(), end_reason = :reason, jobs_done = run_jobs_done(started_at),
           vm_seconds = greatest(0, run_vm_seconds(started_at)),
           cost_usd = greatest(0, run_vm_seconds(started_at)) / 3600 * CAST(:hourly AS float8)
    WHERE ended_at IS NULL RETURNING id, jobs_done, vm_seconds, cost_usd""")


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run came to; ``cost_usd`` is None where no price is set."""

    id: uuid.UUID
    jobs_done: int
    vm_seconds: float
    cost_usd: float | None


def close(connection: Connection, *, reason: str, vm_hourly_usd: float | None) -> Totals | None:
    """Close the open run with its totals; the caller holds the fleet lock. Return them, None if none was open."""
    row = connection.execute(_CLOSE, {"reason": reason, "hourly": vm_hourly_usd}).one_or_none()
    return Totals(row.id, row.jobs_done, float(row.vm_seconds), row.cost_usd) if row else None
