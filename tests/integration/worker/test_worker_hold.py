"""What a worker holds stays its own, for hours, whatever becomes of the process that does the work; and no longer."""

import os
import signal
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from sqlalchemy import create_engine

from shared import lifecycle
from shared.jobs import Completion, NewJob
from shared.settings import WorkerSettings
from tests.agents import PROJECT, Lab
from tests.cloud import wait_for
from tests.integration.lifecycle_world import World
from worker.hold import Keeper
from worker.holding import Held, Holding
from worker.ledger import Ledger
from worker.pull import Subscription
from worker.receipts import Receipts

_HOURS = 6
#: Seconds of the simulated clock between two looks.
_STEP = 5


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """The database with a clock that the test sets."""
    made = World(database_url)
    made.begin_anew()
    made.advance(0)
    yield made
    made.close()


def test_one_lease_for_six_hours(lab: Lab, world: World, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings as they come, nobody else ever gets a job of six hours, and its result counts."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", lab.servers.pubsub_host)
    settings = WorkerSettings(
        GOOGLE_CLOUD_PROJECT=PROJECT, DATABASE_URL=database_url, upload_bucket="u", result_bucket="r"
    )
    engine = create_engine(database_url, isolation_level="AUTOCOMMIT")
    new = NewJob("u", "meeting.wav", 1, "speech", 1, "audio/wav")
    [recorded] = world.in_transaction(lambda connection: lifecycle.record(connection, [new]))
    lab.announce(recorded.id)
    subscription = Subscription(lab.subscription)
    [message] = wait_for(lambda: subscription.pull(1))
    [claim] = world.at_once(
        lambda connection: lifecycle.claim(
            connection, [recorded.id], worker="vm-1", lease_seconds=settings.lease_seconds
        )
    )
    holding = Holding(1, ahead_seconds=0)
    held = Held(claim, message.ack_id, structlog.get_logger())
    holding.add([held])
    assert holding.take() is held
    held.begin(24 * 3600, 24 * 3600)
    ledger = Ledger(engine, settings, holding, Receipts(subscription))
    keeper = Keeper(settings, engine, subscription, holding, ledger)
    begun = time.monotonic()
    for second in range(0, _HOURS * 3600, _STEP):
        world.advance(_STEP)
        if second % 600 == 0:
            held.advance(second / (_HOURS * 3600), "transcribing")
        keeper.look(begun + second)
        if second % 20 == 0:
            assert _others_get_nothing(world, recorded.id)
    state = world.look()[0][recorded.id]
    assert held.ending is None
    assert (state.status, state.attempt, len(state.attempts)) == ("running", 1, 1)
    assert 0.9 < state.job["progress"] < 1
    ledger.conclude(held, Completion(claim.id, 1, {"words": 50_000}))
    assert holding.wait_empty(30)
    state = world.look()[0][recorded.id]
    assert (state.status, state.job["result"]) == ("succeeded", {"words": 50_000})
    started, finished = state.at("started_at"), state.at("finished_at")
    assert started is not None
    assert finished == started + timedelta(hours=_HOURS)
    lab.wait_until_acknowledged()
    engine.dispose()


def _others_get_nothing(world: World, job: uuid.UUID) -> bool:
    """A message that came twice finds the lease live, and so does the tick."""
    claimed = world.at_once(lambda connection: lifecycle.claim(connection, [job], worker="vm-2", lease_seconds=40))
    expired = world.in_transaction(lambda connection: lifecycle.expire(connection, lease_seconds=40, most=10))
    return not claimed and not expired


def test_a_stopped_process_keeps_its_job(lab: Lab) -> None:
    """While the working process stands still (SIGSTOP) for several leases, the keeper goes on renewing."""
    gate, pid = lab.folder / "gate", lab.folder / "pid"
    job = lab.add("trial-wait", gate=gate, pid=pid)
    lab.start()
    lab.wait_for_stage(job, "waiting")
    child = int(pid.read_text())
    first = lab.job(job).lease_until
    os.kill(child, signal.SIGSTOP)
    lab.start()
    lab.announce(job)
    wait_for(lambda: lab.job(job).lease_until > first + timedelta(seconds=15), 90, "the lease was renewed thrice over")
    os.kill(child, signal.SIGCONT)
    gate.touch()
    lab.wait_for_status(job, "succeeded")
    assert lab.outcomes(job) == ["succeeded"]


def test_a_process_that_holds_its_interpreter_keeps_its_job(lab: Lab) -> None:
    """An extension that never lets go of its interpreter cannot keep the lease from being renewed."""
    job = lab.add("trial-hog", log=lab.folder / "log")
    lab.start()
    lab.start()
    wait_for((lab.folder / "log").exists, 60, "it has begun")
    lab.announce(*[job] * 5)
    lab.wait_for_status(job, "succeeded", seconds=120, tick=True)
    assert lab.outcomes(job) == ["succeeded"]


def test_cancelled_and_retried_at_once(lab: Lab) -> None:
    """Whoever held the job before writes nothing more; the new attempt runs meanwhile, and only its files count."""
    gate, note = lab.folder / "gate", lab.folder / "log"
    job = lab.add("trial-copy", gate=gate, log=note)
    lab.start(worker_slots=2)
    lab.wait_for_stage(job, "copying")
    with lab.engine.begin() as connection:
        assert lifecycle.cancel(connection, [job], reason="Ann wanted it so.")
        assert lifecycle.retry(connection, [job])
    lab.announce(job)
    wait_for(lambda: lab.job(job).attempt == 2 and lab.job(job).stage == "copying", 30, "the second attempt runs")
    gate.touch()
    lab.wait_for_status(job, "succeeded")
    assert lab.outcomes(job) == ["cancelled", "succeeded"]
    assert {artifact.attempt for artifact in lab.artifacts(job)} == {2}
    assert len(lab.artifacts(job)) == 2
    lab.wait_until_acknowledged()


def test_the_files_of_a_loser_are_never_published(lab: Lab, tmp_path: Path) -> None:
    """A frozen worker that thaws after another has finished changes neither a row nor a published file."""
    gate = tmp_path / "gate"
    job = lab.add("trial-copy", b"the same for both", gate=gate)
    frozen = lab.start()
    lab.wait_for_stage(job, "copying")
    frozen.send(signal.SIGSTOP)
    gate.touch()
    lab.start()
    lab.wait_for_status(job, "succeeded", seconds=60, tick=True)
    before = (lab.job(job), lab.artifacts(job), lab.attempts(job))
    published = {blob.name: (blob.generation, blob.crc32c) for blob in lab.results.list_blobs(prefix=f"{job}/2/")}
    frozen.send(signal.SIGCONT)
    wait_for(lambda: frozen.events("job.fenced"), 60, "the frozen one notices")
    assert (lab.job(job), lab.artifacts(job), lab.attempts(job)) == before
    assert published == {
        blob.name: (blob.generation, blob.crc32c) for blob in lab.results.list_blobs(prefix=f"{job}/2/")
    }
    assert len(published) == 2
