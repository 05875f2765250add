"""Spotmill's side: Postgres, Pub/Sub and Cloud Storage of the local cloud, and one agent with its slots."""

from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Engine, create_engine, text

from bench.control_plane.measure import Rate, watch
from shared import lifecycle
from shared.jobs import NewJob
from shared.migrate import migrate
from tests.agents import UPLOADS, Lab, Machines, Servers, server

_BATCH = 500


def measure(folder: Path, database_url: str, jobs: int, slots: int) -> Rate:
    """Queue so many no-op jobs, start one worker, and time its commits."""
    with ExitStack() as stack:
        _, pubsub = stack.enter_context(server("pubsub", folder / "pubsub"))
        _, gcs = stack.enter_context(server("gcs", folder / "gcs"))
        servers = Servers(f"127.0.0.1:{pubsub}", f"http://127.0.0.1:{gcs}")
        engine = create_engine(database_url)
        stack.callback(engine.dispose)
        migrate(engine)
        lab = Lab(engine, database_url, servers, Machines(), folder)
        stack.callback(lab.close)
        _fill(lab, engine, jobs)
        lab.start(
            worker_slots=slots,
            child_max_jobs=jobs,
            lease_seconds=40,
            renew_seconds=15,
            ack_deadline_seconds=60,
            heartbeat_seconds=2,
            log_level="INFO",
        )
        return watch(
            engine,
            "SELECT count(*), min(finished_at), max(finished_at) FROM jobs WHERE status = 'succeeded'",
            jobs,
        )


def _fill(lab: Lab, engine: Engine, jobs: int) -> None:
    wanted = [NewJob(UPLOADS, f"bench/{number:06}", 1, "trial-noop", 0, "application/x-noop") for number in range(jobs)]
    for start in range(0, jobs, _BATCH):
        batch = wanted[start : start + _BATCH]
        with engine.begin() as connection:
            recorded = lifecycle.record(connection, batch)
        lab.announce(*[job.id for job in recorded])
        with engine.begin() as connection:
            lifecycle.mark_published(connection, [job.pending for job in recorded if job.pending])
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
