"""A queue may wait for weeks: Pub/Sub forgets its messages, the database does not."""

import uuid
from datetime import UTC, datetime, timedelta

from shared.messages import JobMessage
from shared.models import JobStatus
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


def test_a_job_that_waits_for_its_next_try_is_published_when_it_is_due(dispatch: Dispatch) -> None:
    """Neither its age nor a tick announces it before."""
    [job] = dispatch.record("a.jpg")
    dispatch.change("UPDATE jobs SET not_before = now() + interval '1 hour', published_at = now() - interval '30 days'")
    dispatch.tick()
    assert announced(dispatch) == []
    dispatch.change("UPDATE jobs SET not_before = now()")
    dispatch.tick()
    assert announced(dispatch) == [job]
