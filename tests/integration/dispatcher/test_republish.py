"""A queue may wait for weeks: Pub/Sub forgets its messages, the database does not."""

import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from shared import workers
from shared.messages import JobMessage
from shared.models import JobStatus, WorkerState
from tests.dispatch import Dispatch


def forget_messages(dispatch: Dispatch) -> None:
    """Let every message be older than the subscription keeps."""
    dispatch.subscriber.seek(
        request={
            "subscription": dispatch.settings.jobs_subscription_path,
            "time": datetime.now(UTC) + timedelta(minutes=1),
        }
    )
    assert dispatch.pulled() == []


def announced(dispatch: Dispatch) -> list[uuid.UUID]:
    """Pull all messages as workers do; return the jobs they are about."""
    jobs: list[uuid.UUID] = []
    while messages := dispatch.pulled():
        jobs += [JobMessage.parse(message).job_id for message in messages]
    return jobs


def test_a_queue_older_than_the_retention_is_published_again_and_processed(dispatch: Dispatch) -> None:
    """Each job gets one new message once its old one must be gone, not earlier, and can be claimed through it."""
    jobs = dispatch.record(*(f"{n}.jpg" for n in range(1500)))
    dispatch.tick()
    forget_messages(dispatch)
    for age in (0, dispatch.settings.republish_after_seconds - 60):
        dispatch.change("UPDATE jobs SET published_at = now() - make_interval(secs => :age)", age=age)
        dispatch.tick()
        assert announced(dispatch) == []
    dispatch.change("UPDATE jobs SET published_at = published_at - interval '60 seconds'")
    dispatch.tick()
    dispatch.tick()
    again = announced(dispatch)
    assert sorted(again) == sorted(jobs)
    dispatch.commit(dispatch.claim(*again))
    dispatch.tick()
    assert announced(dispatch) == []
    assert dispatch.counts() == {JobStatus.SUCCEEDED: 1500}


def test_a_message_that_is_lost_while_a_worker_idles_is_sent_again(dispatch: Dispatch) -> None:
    """A worker that has nothing to do for two minutes would have been given every message; nothing waits for days."""
    jobs = dispatch.record("a.jpg", "b.jpg")
    dispatch.tick()
    forget_messages(dispatch)
    dispatch.change("UPDATE jobs SET published_at = now() - interval '10 minutes'")
    boot = workers.Boot("vm-1", "us-central1-a", "0123456789abcdef", "e2-standard-2", 1)

    def beat(state: WorkerState, idle_seconds: int | None) -> None:
        with dispatch.engine.begin() as connection:
            workers.register(connection, boot)
            workers.heartbeat(connection, boot.id, WorkerState.IDLE)
            if idle_seconds is not None:
                aged = text("UPDATE workers SET idle_since = now() - make_interval(secs => :s)")
                connection.execute(aged, {"s": idle_seconds})
            workers.heartbeat(connection, boot.id, state)

    for state, idle_seconds in ((WorkerState.IDLE, 60), (WorkerState.BUSY, 600)):
        beat(state, idle_seconds)
        dispatch.tick()
        assert announced(dispatch) == []
    for statement in (
        "UPDATE workers SET last_seen = now() - interval '5 minutes'",
        "INSERT INTO pauses (paused_by) VALUES ('ann')",
    ):
        beat(WorkerState.IDLE, 600)
        dispatch.change(statement)
        dispatch.tick()
        assert announced(dispatch) == [], "neither from a silent worker nor from a queue that stands still"
    beat(WorkerState.IDLE, None)
    dispatch.change("DELETE FROM pauses")
    beat(WorkerState.IDLE, None)
    dispatch.tick()
    assert announced(dispatch) == [], "it idled because of the pause"
    beat(WorkerState.IDLE, 121)
    dispatch.tick()
    assert sorted(announced(dispatch)) == sorted(jobs)


def test_a_job_that_waits_for_its_next_try_is_published_when_it_is_due(dispatch: Dispatch) -> None:
    """Neither its age nor a tick announces it before."""
    [job] = dispatch.record("a.jpg")
    dispatch.change("UPDATE jobs SET not_before = now() + interval '1 hour', published_at = now() - interval '30 days'")
    dispatch.tick()
    assert announced(dispatch) == []
    dispatch.change("UPDATE jobs SET not_before = now()")
    dispatch.tick()
    assert announced(dispatch) == [job]
