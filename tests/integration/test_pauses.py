"""A pause of the queue in the database: nothing new is claimed, and no message that came meanwhile is missed."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, text

from shared import lifecycle, pauses, workers
from shared.backlog import read_backlog
from shared.jobs import Backoff, Completion, Failure, NewJob, Pending, Renewal
from shared.models import WorkerState
from shared.workers import Boot


def record(engine: Engine, *names: str) -> list[Pending]:
    jobs = [NewJob("uploads", name, 1, "image", 1000, "image/jpeg") for name in names]
    with engine.begin() as connection:
        return [job.pending for job in lifecycle.record(connection, jobs) if job.pending]


@contextmanager
def paused(engine: Engine) -> Iterator[None]:
    """Pause the queue for a while."""
    with engine.begin() as connection:
        assert pauses.pause(connection, by="ann@example.com")
    yield
    with engine.begin() as connection:
        assert pauses.resume(connection, by="bob@example.com")


def claim(engine: Engine, *ids: uuid.UUID) -> list[uuid.UUID]:
    with engine.begin() as connection:
        return [c.id for c in lifecycle.claim(connection, ids, worker="vm-1/boot", lease_seconds=40)]


def unpublished(engine: Engine) -> list[uuid.UUID]:
    with engine.begin() as connection:
        return [p.id for p in lifecycle.unpublished(connection, republish_after_seconds=3600, most=10)]


def mark_published(engine: Engine, *pending: Pending) -> None:
    with engine.begin() as connection:
        lifecycle.mark_published(connection, pending)


def test_a_pause_is_one_however_often_it_is_pressed(engine: Engine) -> None:
    """The first who pauses is the one who is named, and resuming twice changes nothing."""
    with engine.begin() as connection:
        assert pauses.current(connection) is None
        assert pauses.pause(connection, by="ann@example.com")
        assert not pauses.pause(connection, by="bob@example.com")
        pause = pauses.current(connection)
        assert pause is not None
        assert pause.paused_by == "ann@example.com"
        assert pauses.resume(connection, by="bob@example.com")
        assert not pauses.resume(connection, by="bob@example.com")
        assert pauses.current(connection) is None


def test_nothing_new_is_claimed_and_jobs_at_hand_are_finished(engine: Engine) -> None:
    """Neither a queued job nor one whose lease ran out is taken; one that is held is renewed, committed or failed."""
    one, two, lost, queued = record(engine, "one", "two", "lost", "queued")
    claim(engine, one.id, two.id, lost.id)
    with engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET lease_until = now() - interval '1 s' WHERE id = :id"), {"id": lost.id})
    with paused(engine):
        assert claim(engine, one.id, lost.id, queued.id) == []
        with engine.begin() as connection:
            assert lifecycle.renew(connection, [Renewal(one.id, 1, 0.5, "half")], lease_seconds=40)
            assert lifecycle.commit(connection, [Completion(one.id, 1, {})])
            assert lifecycle.fail(connection, [Failure(two.id, 1, "Broken.", permanent=True)], Backoff())
    assert set(claim(engine, lost.id, queued.id)) == {lost.id, queued.id}


def test_a_message_that_came_meanwhile_is_sent_again(engine: Engine) -> None:
    """A message is spent by the claim that was refused: its job counts as unannounced once it may start."""
    [job, other] = record(engine, "a", "b")
    mark_published(engine, job, other)
    with paused(engine):
        assert claim(engine, job.id) == []
        assert unpublished(engine) == []
    assert unpublished(engine) == [job.id]


def test_a_note_of_a_message_that_is_spent_comes_too_late(engine: Engine) -> None:
    """Whoever published before the refused claim and notes it afterwards cannot hide that the message is gone."""
    [job] = record(engine, "a")
    with paused(engine):
        claim(engine, job.id)
        mark_published(engine, job)
    assert unpublished(engine) == [job.id]


def test_a_job_that_is_over_stays_over(engine: Engine) -> None:
    """A late message about a finished job changes nothing of it."""
    [job] = record(engine, "a")
    claim(engine, job.id)
    with engine.begin() as connection:
        lifecycle.commit(connection, [Completion(job.id, 1, {})])
        before = connection.execute(text("SELECT * FROM jobs")).one()
    with paused(engine):
        claim(engine, job.id)
    with engine.begin() as connection:
        assert connection.execute(text("SELECT * FROM jobs")).one() == before


def test_workers_and_fleet_hear_of_it(engine: Engine) -> None:
    """A worker is told to pull nothing and that nothing is due, so that it leaves when idle; the fleet needs no VM."""
    record(engine, "a")
    boot = Boot("vm-1", "z", "boot", "e2", 1)

    def orders() -> tuple[bool, bool]:
        with engine.begin() as connection:
            told = workers.heartbeat(connection, boot.id, WorkerState.IDLE)
            assert told is not None
            assert read_backlog(connection).paused == told.paused
            return told.due, told.paused

    with engine.begin() as connection:
        workers.register(connection, boot)
    assert orders() == (True, False)
    with paused(engine):
        assert orders() == (False, True)
    assert orders() == (True, False)


def test_claims_beside_pauses_lose_nothing(engine: Engine) -> None:
    """While the queue is paused and resumed over and over, every job is claimed once or still to be announced."""
    jobs = record(engine, *map(str, range(200)))
    mark_published(engine, *jobs)
    won: list[uuid.UUID] = []
    over = threading.Event()

    def flip() -> None:
        while not over.is_set():
            with paused(engine):
                pass

    flipping = threading.Thread(target=flip)
    flipping.start()
    for job in jobs:
        won += claim(engine, job.id)
    over.set()
    flipping.join()
    with engine.begin() as connection:
        left = [p.id for p in lifecycle.unpublished(connection, republish_after_seconds=3600, most=1000)]
    assert sorted(won + left) == sorted(job.id for job in jobs)
    assert won
    assert left
