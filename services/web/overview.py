"""What the processing page shows above the list: counts, workers, run, estimate."""

from sqlalchemy import Connection, select, text

from services.web.estimate import Outlook, estimate
from services.web.fleet_watch import FleetWatch
from services.web.shapes import Counts, HeldJob, Instance, Pause, Queue, Run, SpentBudget, Workers
from shared import budget, dead_letters, pauses, runs
from shared.backlog import read_backlog
from shared.fleet import desired_size
from shared.models import Worker, WorkerState
from shared.runs import RunView
from shared.settings import WebSettings

_COUNTS = text("SELECT status, count FROM visible_job_counts() WHERE count > 0")
_HELD = text("SELECT worker, id, object, pipeline, stage, progress FROM fleet_jobs()")
_OUTLOOK = text("SELECT pipeline, queued, median_seconds FROM queue_outlook()")


def run_shape(run: RunView, vm_hourly_usd: float | None) -> Run:
    """Show a run. An open one costs what its VMs have cost so far."""
    state = "ended" if run.ended_at else "stopping" if run.stopped_at else "running"
    cost = run.cost_usd
    if run.ended_at is None and vm_hourly_usd is not None:
        cost = run.vm_seconds / 3600 * vm_hourly_usd
    return Run(
        id=run.id,
        state=state,
        started_by=run.started_by,
        started_at=run.started_at,
        workers=run.workers,
        stop_mode=run.stop_mode,
        stopped_by=run.stopped_by,
        stopped_at=run.stopped_at,
        ended_at=run.ended_at,
        end_reason=run.end_reason,
        jobs_done=run.jobs_done,
        vm_seconds=round(run.vm_seconds, 1),
        cost_usd=None if cost is None else round(cost, 4),
        problem=run.problem,
        beyond_budget=run.beyond_budget,
    )


def _instances(connection: Connection) -> list[Instance]:
    held: dict[str, list[HeldJob]] = {}
    for row in connection.execute(_HELD):
        name = row.object.rsplit("/", 1)[-1] if row.object else None
        job = HeldJob(id=row.id, filename=name, pipeline=row.pipeline, stage=row.stage, progress=row.progress)
        held.setdefault(row.worker, []).append(job)
    alive = connection.execute(
        select(*(getattr(Worker, name) for name in Instance.model_fields if name != "jobs"))
        .where(Worker.state != WorkerState.GONE)
        .order_by(Worker.started_at, Worker.id)
    )
    return [Instance(jobs=held.get(row.id, []), **row._mapping) for row in alive]  # noqa: SLF001 - its public name


def read_pause(connection: Connection) -> Pause | None:
    """Read whether the queue is paused, and by whom."""
    pause = pauses.current(connection)
    return None if pause is None else Pause(paused_by=pause.paused_by, paused_at=pause.paused_at)


def read_budget(connection: Connection) -> SpentBudget | None:
    """Read whether the workers' budget is spent, and how much."""
    spent = budget.spent(connection)
    if spent is None:
        return None
    return SpentBudget(
        name=spent.name,
        cost=spent.cost,
        amount=spent.amount,
        currency=spent.currency,
        interval_start=spent.interval_start,
        spent_at=spent.spent_at,
    )


def read_queue(connection: Connection, settings: WebSettings, watch: FleetWatch) -> Queue:
    """Read all of it in one transaction."""
    counts = Counts(**{row.status: row.count for row in connection.execute(_COUNTS)})
    backlog = read_backlog(connection)
    outlook = [Outlook(row.pipeline, row.queued, row.median_seconds) for row in connection.execute(_OUTLOOK)]
    run, last = runs.current(connection), runs.latest(connection)
    seen = watch.look()
    wanted = desired_size(run, backlog, max_workers=settings.max_workers)
    return Queue(
        counts=counts,
        pause=read_pause(connection),
        budget=read_budget(connection),
        workers=Workers(target=wanted if seen.target is None else seen.target, instances=_instances(connection)),
        run=run_shape(run, settings.vm_hourly_usd) if run else None,
        last_run=run_shape(last, settings.vm_hourly_usd) if last else None,
        estimate=estimate(
            backlog.open,
            outlook,
            workers=run.workers if run else None,
            slots=settings.worker_slots,
            max_workers=settings.max_workers,
            vm_hourly_usd=settings.vm_hourly_usd,
        ),
        problem=(run.problem if run else None) or seen.problem,
        dead_letters=dead_letters.open_count(connection),
    )
