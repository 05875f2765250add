"""Each function of the lifecycle on a real Postgres: what it changes, and what its guard refuses."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from shared import lifecycle, workers
from shared.jobs import Backoff, Claim, Completion, Failure, Hold, NewArtifact, NewJob, Pending, Recorded, Renewal
from shared.models import JobStatus, Outcome
from shared.workers import Boot

PHOTO = NewJob("uploads", "a/photo.jpg", 1, "image", 1000, "image/jpeg", owner="ann@example.com")


def record(engine: Engine, *jobs: NewJob) -> list[Recorded]:
    with engine.begin() as connection:
        return lifecycle.record(connection, jobs or [PHOTO])


def claim(engine: Engine, *ids: uuid.UUID, worker: str = "vm-1/boot", lease: float = 40) -> list[Claim]:
    with engine.begin() as connection:
        return lifecycle.claim(connection, ids, worker=worker, lease_seconds=lease)


def run_out(engine: Engine, job: uuid.UUID) -> None:
    """Let the lease of a job run out."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET lease_until = now() - interval '1 second' WHERE id = :id"), {"id": job}
        )


def status(engine: Engine, job: uuid.UUID) -> str:
    with engine.connect() as connection:
        return str(connection.execute(text("SELECT status FROM jobs WHERE id = :id"), {"id": job}).scalar_one())


def outcomes(engine: Engine, job: uuid.UUID) -> list[str | None]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT outcome FROM attempts WHERE job_id = :id ORDER BY attempt"), {"id": job})
        return list(rows.scalars())


def completion(claimed: Claim) -> Completion:
    name = f"{claimed.id}/{claimed.attempt}/thumbnail.jpg"
    artifact = NewArtifact(
        "thumbnail", "results", name, 1, "image/jpeg", 10, "AAAAAA==", "thumbnail.jpg", {"width": 100}
    )
    return Completion(claimed.id, claimed.attempt, {"width": 4000}, [artifact])


def counts(engine: Engine) -> dict[str, int]:
    with engine.begin() as connection:
        connection.execute(text("SELECT set_config('spotmill.admin', 'on', true)"))
        rows = connection.execute(text("SELECT status, count FROM visible_job_counts()"))
        return {status: number for status, number in rows if number}


def test_an_object_becomes_one_job_however_often_it_is_announced(engine: Engine) -> None:
    """Fifty announcements at once of one generation leave one job."""
    with ThreadPoolExecutor(16) as pool:
        answers = [recorded for [recorded] in pool.map(lambda _: record(engine), range(50))]
    assert len({answer.id for answer in answers}) == 1
    assert sum(answer.new for answer in answers) == 1
    assert counts(engine) == {"queued": 1}


def test_batches_that_overlap_do_not_block_each_other(engine: Engine) -> None:
    """Batches recorded, noted, claimed and committed at once in opposite orders all get through."""
    jobs = [replace(PHOTO, object=f"{n}.jpg") for n in range(100)]

    def mill(order: list[NewJob]) -> int:
        recorded = record(engine, *order)
        ids = [r.id for r in recorded]
        for _ in range(10):
            with engine.begin() as connection:
                lifecycle.mark_published(connection, [Pending(r.id, r.queued_at) for r in recorded])
        claimed = claim(engine, *ids)
        with engine.begin() as connection:
            return len(lifecycle.commit(connection, [completion(c) for c in claimed]))

    with ThreadPoolExecutor(8) as pool:
        committed = sum(pool.map(mill, [jobs, jobs[::-1]] * 8))
    assert committed == 100
    assert counts(engine) == {"succeeded": 100}


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_newer_generation_supersedes_a_queued_one(engine: Engine, newest_first: bool) -> None:
    """In whatever order the generations are announced, only the newest stays queued."""
    generations = [2, 1] if newest_first else [1, 2]
    made = {g: record(engine, replace(PHOTO, generation=g))[0].id for g in generations}
    assert status(engine, made[1]) == "superseded"
    assert status(engine, made[2]) == "queued"


def test_only_one_of_many_workers_gets_a_job(engine: Engine) -> None:
    """Fifty claims at once of one job yield one claim and one attempt."""
    [job] = record(engine)
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(lambda n: claim(engine, job.id, worker=f"vm-{n}/boot"), range(50)))
    assert sum(len(c) for c in claims) == 1
    assert outcomes(engine, job.id) == [None]


def test_a_lease_that_ran_out_goes_to_the_next_worker(engine: Engine) -> None:
    """The next claim gets a higher attempt, and the first worker can neither renew, commit, fail nor release."""
    [job] = record(engine)
    [first] = claim(engine, job.id)
    assert claim(engine, job.id, worker="vm-2/boot") == []
    run_out(engine, job.id)
    [second] = claim(engine, job.id, worker="vm-2/boot")
    assert (first.attempt, second.attempt) == (1, 2)
    with engine.begin() as connection:
        assert lifecycle.renew(connection, [Renewal(job.id, 1, 0.5, "")], lease_seconds=40) == set()
        assert lifecycle.commit(connection, [completion(first)]) == set()
        assert lifecycle.fail(connection, [Failure(job.id, 1, "no", permanent=True)], Backoff()) == {}
        assert lifecycle.release(connection, [first.hold], outcome=Outcome.PREEMPTED, reason="") == set()
        assert lifecycle.supersede(connection, [first.hold], reason="") == set()
        assert lifecycle.commit(connection, [completion(second)]) == {second.hold}
        assert lifecycle.commit(connection, [completion(second)]) == set()
    assert outcomes(engine, job.id) == ["lost", "succeeded"]
    with engine.connect() as connection:
        [artifact] = connection.execute(text("SELECT attempt, metadata FROM artifacts")).all()
    assert (artifact.attempt, artifact.metadata) == (2, {"width": 100})


def test_a_stale_hold_in_the_same_batch_changes_nothing(engine: Engine) -> None:
    """A worker that held a job, lost it and got it again may end both attempts in one batch: only the second counts."""
    one, two = record(engine, PHOTO, replace(PHOTO, object="b.jpg"))
    stale = claim(engine, one.id, two.id)
    for job in (one, two):
        run_out(engine, job.id)
    fresh = {c.id: c for c in claim(engine, one.id, two.id)}
    old = {c.id: c for c in stale}
    with engine.begin() as connection:
        done = [replace(completion(old[one.id]), result={"stale": True}), completion(fresh[one.id])]
        assert lifecycle.commit(connection, done) == {fresh[one.id].hold}
        failures = [Failure(two.id, 1, "stale", permanent=True), Failure(two.id, 2, "fresh", permanent=False)]
        assert lifecycle.fail(connection, failures, Backoff()) == {fresh[two.id].hold: JobStatus.QUEUED}
        result, artifact = connection.execute(
            text("SELECT result, f.object FROM jobs JOIN artifacts f ON job_id = jobs.id")
        ).one()
    assert (result, artifact) == ({"width": 4000}, f"{one.id}/2/thumbnail.jpg")
    assert outcomes(engine, one.id) == ["lost", "succeeded"]
    assert outcomes(engine, two.id) == ["lost", "failed"]


def test_a_renewal_revives_a_lease_that_nobody_took(engine: Engine) -> None:
    """A worker that was only slow keeps its job."""
    [job] = record(engine)
    [held] = claim(engine, job.id)
    run_out(engine, job.id)
    with engine.begin() as connection:
        renewed = lifecycle.renew(connection, [Renewal(job.id, 1, 0.25, "half way", 2, 3.5)], lease_seconds=40)
    assert renewed == {held.hold}
    assert claim(engine, job.id, worker="vm-2/boot") == []
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT progress, stage, steps_stored, saved_seconds FROM jobs JOIN attempts ON job_id = id")
        ).one()
    assert tuple(row) == (0.25, "half way", 2, 3.5)


def test_failures_back_off_and_end_after_five(engine: Engine) -> None:
    """A retryable failure waits 10 s, 20 s, 40 s, 80 s less jitter, and the fifth one is final."""
    [job] = record(engine)
    waits = []
    for n in range(5):
        with engine.begin() as connection:
            connection.execute(text("UPDATE jobs SET not_before = now()"))
        [held] = claim(engine, job.id)
        with engine.begin() as connection:
            answer = lifecycle.fail(
                connection, [Failure(job.id, held.attempt, f"out of disk {n}", permanent=False)], Backoff()
            )
            waits.append(
                connection.execute(text("SELECT extract(epoch FROM not_before - now()), error FROM jobs")).one()
            )
        assert answer == {held.hold: JobStatus.FAILED if n == 4 else JobStatus.QUEUED}
        if n < 4:
            assert claim(engine, job.id) == [], "not due yet"
    for n, wait in enumerate(waits[:4]):
        assert 5 * 2**n <= wait[0] <= 10 * 2**n
    assert waits[4][1] == "out of disk 4"
    assert outcomes(engine, job.id) == ["failed"] * 5


def test_a_permanent_failure_is_final_at_once(engine: Engine) -> None:
    """A corrupt file is not tried again."""
    [job] = record(engine)
    [held] = claim(engine, job.id)
    with engine.begin() as connection:
        answer = lifecycle.fail(connection, [Failure(job.id, 1, "not an image", permanent=True)], Backoff())
    assert answer == {held.hold: JobStatus.FAILED}


def test_a_release_counts_no_failure_and_wants_publishing(engine: Engine) -> None:
    """A preempted job is due at once, with its failures unchanged and published_at cleared."""
    [job] = record(engine)
    with engine.begin() as connection:
        lifecycle.mark_published(connection, [p for p in [job.pending] if p])
    [held] = claim(engine, job.id)
    with engine.begin() as connection:
        assert lifecycle.release(connection, [held.hold], outcome=Outcome.PREEMPTED, reason="taken") == {held.hold}
        pending = lifecycle.unpublished(connection, republish_after_seconds=3600, most=10)
        assert [p.id for p in pending] == [job.id]
        assert connection.execute(text("SELECT failures FROM jobs")).scalar_one() == 0


def test_a_late_note_of_publishing_does_not_hide_a_job(engine: Engine) -> None:
    """A publisher that notes its publish after the job was claimed and released does not mark it as published."""
    [job] = record(engine)
    assert job.pending is not None
    [held] = claim(engine, job.id)
    with engine.begin() as connection:
        lifecycle.release(connection, [held.hold], outcome=Outcome.PREEMPTED, reason="taken")
        lifecycle.mark_published(connection, [job.pending])
        assert len(lifecycle.unpublished(connection, republish_after_seconds=3600, most=10)) == 1


def test_a_late_note_does_not_hide_a_job_that_was_cancelled_and_retried(engine: Engine) -> None:
    """No worker had it meanwhile, but the message found it cancelled and was spent."""
    [job] = record(engine)
    assert job.pending is not None
    with engine.begin() as connection:
        lifecycle.cancel(connection, [job.id], reason="Cancelled by Ann.")
    with engine.begin() as connection:
        [again] = lifecycle.retry(connection, [job.id])
        lifecycle.mark_published(connection, [job.pending])
        assert lifecycle.unpublished(connection, republish_after_seconds=3600, most=10) == [again]


def test_a_message_that_pubsub_has_forgotten_is_published_again(engine: Engine) -> None:
    """A queued job is listed again once its message is older than the subscription keeps."""
    [job] = record(engine)
    assert job.pending is not None
    with engine.begin() as connection:
        lifecycle.mark_published(connection, [job.pending])
        assert lifecycle.unpublished(connection, republish_after_seconds=60, most=10) == []
        connection.execute(text("UPDATE jobs SET published_at = now() - interval '61 seconds'"))
        assert lifecycle.unpublished(connection, republish_after_seconds=60, most=10) == [job.pending]


def test_cancel_stops_queued_and_running_jobs_and_retry_queues_them(engine: Engine) -> None:
    """A cancelled job's worker holds nothing any more; after a retry at once a new attempt runs beside its ghost."""
    queued, running = record(engine, PHOTO, replace(PHOTO, object="b.jpg"))
    [held] = claim(engine, running.id)
    with engine.begin() as connection:
        assert lifecycle.cancel(connection, [queued.id, running.id], reason="Cancelled by Ann.") == {
            queued.id,
            running.id,
        }
        assert lifecycle.cancel(connection, [queued.id], reason="again") == set()
        assert {p.id for p in lifecycle.retry(connection, [running.id])} == {running.id}
        assert lifecycle.retry(connection, [running.id]) == []
        assert lifecycle.renew(connection, [Renewal(running.id, 1, 0, "")], lease_seconds=40) == set()
    [again] = claim(engine, running.id)
    assert again.attempt == 2
    with engine.begin() as connection:
        assert lifecycle.commit(connection, [completion(held)]) == set()
        assert lifecycle.commit(connection, [completion(again)]) == {again.hold}
    assert outcomes(engine, running.id) == ["cancelled", "succeeded"]


def test_an_agent_that_comes_back_counts_a_failure_only_without_a_step(engine: Engine) -> None:
    """Of two jobs of a dead agent, the one that had stored a step is released, the other fails once."""
    one, two = record(engine, PHOTO, replace(PHOTO, object="b.jpg"))
    boot = Boot("vm-1", "us-central1-a", "bootbootboot", "e2-standard-2", 2)
    claims = {c.id: c for c in claim(engine, one.id, two.id, worker=boot.id)}
    with engine.begin() as connection:
        workers.register(connection, boot)
        lifecycle.renew(connection, [Renewal(one.id, 1, 0.1, "", steps_stored=1)], lease_seconds=40)
        released, failed = lifecycle.recover(connection, boot.instance, boot.id, Backoff())
    assert released == {claims[one.id].hold}
    assert failed == {claims[two.id].hold: JobStatus.QUEUED}


def test_a_vm_that_starts_again_frees_what_its_earlier_boot_held(engine: Engine) -> None:
    """Nobody waits for the lease of a boot that is over; no failure is counted, and other VMs keep what is theirs."""
    one, two = record(engine, PHOTO, replace(PHOTO, object="b.jpg"))
    before, other, now = (
        Boot(name, "us-central1-a", boot, "e2-standard-2", 1)
        for name, boot in (("vm-1", "11111111"), ("vm-2", "22222222"), ("vm-1", "33333333"))
    )
    with engine.begin() as connection:
        workers.register(connection, before)
        workers.register(connection, other)
    [held] = claim(engine, one.id, worker=before.id)
    claim(engine, two.id, worker=other.id)
    with engine.begin() as connection:
        workers.register(connection, now)
        assert lifecycle.recover(connection, now.instance, now.id, Backoff()) == ({held.hold}, {})
        assert [row.id for row in workers.alive(connection)] == [other.id, now.id]
    assert outcomes(engine, one.id) == ["lost"]
    assert status(engine, two.id) == "running"


def test_nothing_expires_while_the_database_is_young(engine: Engine) -> None:
    """A database that has just come back gives workers one lease time before it calls their jobs lost."""
    [job] = record(engine)
    claim(engine, job.id)
    run_out(engine, job.id)
    with engine.begin() as connection:
        assert lifecycle.expire(connection, lease_seconds=3600, most=10) == []
        assert lifecycle.expire(connection, lease_seconds=0, most=10) == [Hold(job.id, 1)]
    assert status(engine, job.id) == "queued"
    assert outcomes(engine, job.id) == ["lost"]


def test_a_deleted_object_supersedes_only_its_own_generation(engine: Engine) -> None:
    """The deletion of a generation ends its queued job and no other."""
    record(engine, replace(PHOTO, generation=7))
    with engine.begin() as connection:
        assert lifecycle.supersede_deleted(connection, "uploads", PHOTO.object, 6) == []
        assert len(lifecycle.supersede_deleted(connection, "uploads", PHOTO.object, 7)) == 1


def test_counts_follow_every_change_and_survive_folding(engine: Engine) -> None:
    """The roll-up agrees with the table after each kind of change, folded or not."""
    jobs = record(engine, *[replace(PHOTO, object=f"{n}.jpg") for n in range(6)])
    claims = claim(engine, *[j.id for j in jobs[:3]])
    with engine.begin() as connection:
        lifecycle.commit(connection, [completion(claims[0])])
        connection.execute(text("SELECT fold_job_counts()"))
        lifecycle.fail(connection, [Failure(claims[1].id, 1, "no", permanent=True)], Backoff())
        lifecycle.cancel(connection, [jobs[5].id], reason="")
    assert counts(engine) == {"queued": 2, "running": 1, "succeeded": 1, "failed": 1, "cancelled": 1}
    with engine.begin() as connection:
        connection.execute(text("SELECT fold_job_counts()"))
        connection.execute(text("DELETE FROM jobs WHERE status = 'cancelled'"))
    assert counts(engine) == {"queued": 2, "running": 1, "succeeded": 1, "failed": 1}
