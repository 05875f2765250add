"""The rows of the workers: how agents, the fleet and the bill learn of each other."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from shared.models import StopMode, WorkerState


@dataclass(frozen=True, slots=True)
class Boot:
    """One boot of a VM, as the agent finds it."""

    instance: str
    zone: str
    boot_id: str
    machine_type: str
    slots: int

    @property
    def id(self) -> str:
        """The worker's id: the same for every agent process of one boot."""
        return f"{self.instance}/{self.boot_id[:8]}"


@dataclass(frozen=True, slots=True)
class Orders:
    """What the fleet wants of a worker."""

    state: WorkerState
    stop_mode: StopMode | None
    due: bool  #: a queued job may start now, whether or not a message about it has arrived
    paused: bool = False  #: nothing new may be claimed


_REGISTER = text("""
    INSERT INTO workers (id, instance, zone, boot_id, machine_type, slots, state, stop_mode)
    SELECT :id, :instance, :zone, :boot_id, :machine_type, CAST(:slots AS bigint),
           CASE WHEN count(*) > 0 THEN 'leaving' ELSE 'starting' END, max(stop_mode)
    FROM runs WHERE ended_at IS NULL AND stopped_at IS NOT NULL
    ON CONFLICT (id) DO UPDATE SET last_seen = now(), slots = excluded.slots, ended_at = NULL, end_reason = NULL,
        state = CASE WHEN workers.state = 'leaving' THEN 'leaving' ELSE excluded.state END,
        stop_mode = CASE WHEN workers.state = 'leaving' THEN workers.stop_mode ELSE excluded.stop_mode END""")

_EARLIER_BOOTS = text("""
    UPDATE workers SET state = 'gone', ended_at = last_seen, end_reason = 'The VM was started again.'
    WHERE instance = :instance AND id <> :id AND state <> 'gone'""")


def register(connection: Connection, boot: Boot) -> None:
    """Write the row of this boot, or take it up again; earlier boots of the VM are over.

    One that comes up, or comes up again, after its run was stopped only settles what it held, and leaves.
    """
    values = {
        "id": boot.id, "instance": boot.instance, "zone": boot.zone, "boot_id": boot.boot_id,
        "machine_type": boot.machine_type, "slots": boot.slots,
    }  # fmt: skip
    connection.execute(_EARLIER_BOOTS, {"instance": boot.instance, "id": boot.id})
    connection.execute(_REGISTER, values)


_HEARTBEAT = text("""
    UPDATE workers SET last_seen = now(), state = CASE WHEN state = 'leaving' THEN 'leaving' ELSE :state END,
        idle_since = CASE WHEN :state = 'idle' AND NOT EXISTS (SELECT FROM pauses WHERE resumed_at IS NULL)
                          THEN coalesce(idle_since, now()) END
    WHERE id = :id AND state <> 'gone'
    RETURNING state, stop_mode, EXISTS (SELECT FROM pauses WHERE resumed_at IS NULL) AS paused,
              EXISTS (SELECT FROM jobs WHERE status = 'queued' AND not_before <= now()) AS due""")


def heartbeat(connection: Connection, worker: str, state: WorkerState) -> Orders | None:
    """Say that the worker lives and what it does; return what is wanted of it, None if it counts as gone."""
    row = connection.execute(_HEARTBEAT, {"id": worker, "state": state.value}).one_or_none()
    if row is None:
        return None
    stop_mode = StopMode(row.stop_mode) if row.stop_mode else None
    return Orders(WorkerState(row.state), stop_mode, row.due and not row.paused, row.paused)


_LEAVE = text("UPDATE workers SET state = 'leaving', last_seen = now() WHERE id = :id AND state <> 'gone'")


def leave(connection: Connection, worker: str) -> None:
    """Mark the worker as leaving: it takes no more jobs and waits for the tick to delete its VM."""
    connection.execute(_LEAVE, {"id": worker})


_LAST_CLAIMS = text("SELECT id FROM workers WHERE state = 'leaving' ORDER BY id FOR UPDATE")


def await_last_claims(connection: Connection) -> None:
    """Wait until the claims are through that workers began before they were leaving; later ones get nothing.

    What ``alive`` says of their jobs afterwards is final: who holds none now never will.
    """
    with connection.begin_nested() as savepoint:
        connection.execute(_LAST_CLAIMS)
        savepoint.rollback()  # lets go of the rows: heartbeats need not wait for Compute


_ANY_DONE = text("""
    SELECT EXISTS (SELECT FROM fleet_workers() WHERE state = 'leaving' AND jobs = 0)
        OR EXISTS (SELECT FROM runs WHERE ended_at IS NULL AND stopped_at IS NOT NULL)""")


def any_done(connection: Connection) -> bool:
    """Tell whether a VM may be deleted, or a stopped run be over."""
    done: bool = connection.execute(_ANY_DONE).scalar_one()
    return done


_END = text("""
    UPDATE workers SET state = 'gone', ended_at = now(), last_seen = now(), end_reason = :reason
    WHERE id = :id AND state <> 'gone'""")


def end(connection: Connection, worker: str, reason: str) -> None:
    """Close the row of a boot whose agent knows that its VM is about to vanish."""
    connection.execute(_END, {"id": worker, "reason": reason})


_ALIVE = text("""
    SELECT id, instance, state, slots, started_at, last_seen, extract(epoch FROM now() - last_seen) AS silent_seconds, jobs
    FROM fleet_workers() ORDER BY started_at""")


@dataclass(frozen=True, slots=True)
class Alive:
    """A worker that is not known to be gone. ``jobs`` is how many it holds."""

    id: str
    instance: str
    state: WorkerState
    slots: int
    started_at: datetime
    last_seen: datetime
    silent_seconds: float
    jobs: int


def alive(connection: Connection) -> list[Alive]:
    """List the workers that are not gone, the oldest first."""
    return [
        Alive(
            r.id, r.instance, WorkerState(r.state), r.slots, r.started_at, r.last_seen, float(r.silent_seconds), r.jobs
        )
        for r in connection.execute(_ALIVE)
    ]


_GONE = text("""
    UPDATE workers SET state = 'gone', ended_at = last_seen, end_reason = :reason
    WHERE id = ANY(string_to_array(:ids, ',')) AND state <> 'gone'""")


def mark_gone(connection: Connection, workers: list[str], reason: str) -> None:
    """Close the rows of workers whose VM no longer exists, at the time they were last seen."""
    if workers:
        connection.execute(_GONE, {"ids": ",".join(workers), "reason": reason})
