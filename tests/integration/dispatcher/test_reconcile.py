"""What no event told of is found: objects without a job, jobs without an object, files that came after their sweep."""

import gc
import tracemalloc
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from click.testing import CliRunner

from services.dispatcher import reconcile as reconciling
from services.dispatcher.handlers import tick
from services.dispatcher.reconcile import Reconciled, reconcile
from services.dispatcher.sweep import Swept, sweep
from shared import lifecycle
from shared.complaints import complaint
from shared.jobs import Backoff, Failure, NewJob
from shared.models import JobStatus
from shared.settings import load
from tests.dispatch import Dispatch
from worker.pipelines.image import SETTINGS_SCHEMA

HOUR = 3600


@pytest.fixture
def images(dispatch: Dispatch) -> Dispatch:
    """A dispatcher that knows a pipeline for images."""
    dispatch.change("INSERT INTO pipelines VALUES ('image', '1', '{image/*}', '{}')")
    return dispatch


def upload(dispatch: Dispatch, *names: str) -> list[int]:
    """Write objects that nobody announces; return their generations."""

    def write(name: str) -> int:
        blob = dispatch.uploads.blob(name)
        blob.upload_from_string(b"not really a photograph", content_type="image/jpeg")
        return int(blob.generation)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(write, names))


def test_objects_that_nobody_announced_are_recorded_once_by_two_at_once(images: Dispatch) -> None:
    """2,500 objects on three pages become 2,500 published jobs, whoever of two that run at once does it."""
    upload(images, *(f"20251203T15Z/{uuid.uuid4()}/{n}.jpg" for n in range(2500)))
    with ThreadPoolExecutor(2) as pool:
        done = [one for one in pool.map(lambda _: reconcile(images.backends()), range(2)) if one is not None]
    assert sum(one.recorded for one in done) == 2500
    assert images.counts() == {JobStatus.QUEUED: 2500}
    assert images.rows("SELECT count(*) FROM jobs WHERE published_at IS NULL")[0][0] == 0
    assert len({job.object for job in images.rows("SELECT object FROM jobs")}) == 2500
    assert reconcile(images.own) == Reconciled(0, 0, 0)


def test_only_one_reconcile_lists_at_a_time(images: Dispatch) -> None:
    """A second one that is asked for meanwhile leaves it to the first, and the next one is free again."""
    upload(images, "a.jpg")
    with images.engine.connect() as other:
        other.exec_driver_sql(f"SELECT pg_advisory_lock({reconciling._LOCK})")
        assert reconcile(images.own) is None
        other.exec_driver_sql(f"SELECT pg_advisory_unlock({reconciling._LOCK})")
    assert reconcile(images.own) == Reconciled(1, 0, 0)


def test_an_object_that_was_processed_is_not_taken_in_by_a_new_pipeline(images: Dispatch) -> None:
    """Installing another pipeline does not process the whole bucket again."""
    upload(images, "a.jpg")
    reconcile(images.own)
    images.change("UPDATE pipelines SET name = 'photograph'")
    assert reconcile(images.own) == Reconciled(0, 0, 0)
    assert [job.pipeline for job in images.rows("SELECT pipeline FROM jobs")] == ["image"]


def test_a_queued_job_whose_object_is_gone_is_superseded(images: Dispatch) -> None:
    """Deleted or overwritten unannounced, in whichever bucket: no VM starts for it; what is there stays queued."""
    [kept, overwritten, deleted] = upload(images, "kept.jpg", "overwritten.jpg", "deleted.jpg")
    elsewhere = images.own.storage.create_bucket(f"elsewhere-{uuid.uuid4().hex[:8]}")
    photo = NewJob(images.settings.upload_bucket, "kept.jpg", kept, "image", 10, "image/jpeg")
    with images.engine.begin() as connection:
        lifecycle.record(
            connection,
            [
                photo,
                replace(photo, object="overwritten.jpg", generation=overwritten),
                replace(photo, object="deleted.jpg", generation=deleted),
                replace(photo, bucket=elsewhere.name, object="gone.jpg", generation=1),
            ],
        )
    images.uploads.delete_blob("deleted.jpg")
    [newer] = upload(images, "overwritten.jpg")
    done = reconcile(images.own)
    assert done is not None
    assert (done.recorded, done.superseded) == (1, 2)
    found = {(job.object, job.generation): job.status for job in images.rows("SELECT * FROM jobs")}
    assert found == {
        ("kept.jpg", kept): "queued",
        ("overwritten.jpg", overwritten): "superseded",
        ("overwritten.jpg", newer): "queued",
        ("deleted.jpg", deleted): "superseded",
        ("gone.jpg", 1): "superseded",
    }


def test_a_running_job_finds_out_by_itself(images: Dispatch) -> None:
    """Its worker has the file perhaps, and says how it ended."""
    [job] = images.record("deleted.jpg")
    images.claim(job)
    assert reconcile(images.own) == Reconciled(0, 0, 0)
    assert images.job(job).status == "running"


def test_files_that_come_after_their_sweep_are_found(dispatch: Dispatch) -> None:
    """A frozen worker that thaws a day later leaves nothing for good: neither outputs nor steps."""
    done, failed, running = jobs = dispatch.record("a.jpg", "b.jpg", "c.jpg")
    dispatch.claim(*jobs)
    dispatch.lose(*jobs)
    dispatch.commit(dispatch.claim(done))
    dispatch.claim(running)
    [held] = dispatch.claim(failed)
    with dispatch.engine.begin() as connection:
        failure = Failure(held.id, held.attempt, "corrupt", permanent=True)
        lifecycle.fail(connection, [failure], Backoff())
    dispatch.put(f"{done}/2/result")
    dispatch.age(HOUR)
    assert sweep(dispatch.own, seconds=60).objects == 0
    dispatch.put(*(f"{job}/1/late" for job in jobs), *(f"steps/{job}/late" for job in jobs))
    assert sweep(dispatch.own, seconds=60) == Swept(0, 0)
    assert reconcile(dispatch.own) == Reconciled(0, 0, 4)
    assert dispatch.files() == {f"{done}/2/result", f"steps/{failed}/late", f"steps/{running}/late"}
    dispatch.age(dispatch.settings.steps_retention_days * 24 * HOUR)
    assert sweep(dispatch.own, seconds=60).objects == 1


def test_what_the_database_does_not_know_is_left_alone(dispatch: Dispatch) -> None:
    """A database restored from a backup must not cost the results of a job that it has forgotten."""
    names = {
        f"{uuid.uuid4()}/1/result",
        f"steps/{uuid.uuid4()}/abc",
        "notes.txt",
        f"{uuid.uuid4()}/not-an-attempt/result",
    }
    [job] = dispatch.record("a.jpg")
    dispatch.commit(dispatch.claim(job))
    names |= {f"{job}/1/result", f"{job}/7/later-than-the-backup"}
    dispatch.put(*names)
    dispatch.age(HOUR)
    assert reconcile(dispatch.own) == Reconciled(0, 0, 0)
    assert dispatch.files() == names


def test_the_command_says_what_it_did(images: Dispatch, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for whoever runs it by hand or from cron, and an error if another one is at it."""
    told = {
        "GOOGLE_CLOUD_PROJECT": images.settings.project,
        "DATABASE_URL": database_url,
        "SPOTMILL_UPLOAD_BUCKET": images.settings.upload_bucket,
        "SPOTMILL_RESULT_BUCKET": images.settings.result_bucket,
        "SPOTMILL_JOBS_TOPIC": images.settings.jobs_topic,
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()
    upload(images, "a.jpg")
    answer = CliRunner().invoke(reconciling.command)
    assert answer.exit_code == 0, answer.output
    assert "1 objects were recorded that no event had announced; 0 waiting jobs" in answer.output
    with images.engine.connect() as other:
        other.exec_driver_sql(f"SELECT pg_advisory_lock({reconciling._LOCK})")
        assert CliRunner().invoke(reconciling.command).exit_code == 1
    load.cache_clear()


def test_a_tick_of_the_day_reconciles(images: Dispatch) -> None:
    """What the scheduler publishes once a day is the same as the command."""
    upload(images, "a.jpg")
    tick.handle(images.own, b'{"task": "reconcile", "scheduled_at": "2025-12-03T03:17:00+00:00"}', images.now())
    assert images.counts() == {JobStatus.QUEUED: 1}


def test_memory_stays_flat_over_a_big_listing(images: Dispatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many objects there are, one page of them is in memory."""
    upload(images, *(f"{n}.jpg" for n in range(300)))
    monkeypatch.setattr(reconciling, "_PAGE", 10)
    pages = reconciling._pages(images.own, images.settings.upload_bucket, "name")
    tracemalloc.start()
    try:
        # Google's objects refer to each other in circles, which are collected now and then.
        sizes = [tracemalloc.get_traced_memory()[0] for _ in pages if gc.collect() >= 0]
    finally:
        tracemalloc.stop()
    assert len(sizes) == 30
    assert max(sizes[10:]) < max(sizes[:10]) + 100_000


def test_an_object_that_postgres_cannot_hold_does_not_cost_the_others(images: Dispatch) -> None:
    """Settings that cannot be stored are a failed job that says so; everything else of the page is as always."""
    upload(images, "a.jpg", "c.jpg", "nul\0.jpg")
    blob = images.uploads.blob("b.jpg")
    blob.metadata = {"settings": '{"title": "\\u0000"}', "pipeline": "\0" + 5000 * "x"}
    blob.upload_from_string(b"bytes", content_type="image/jpeg")
    assert reconcile(images.own) == Reconciled(3, 0, 0)
    jobs = {job.object: job for job in images.rows("SELECT object, status, error, pipeline, settings FROM jobs")}
    assert {name: job.status for name, job in jobs.items()} == {"a.jpg": "queued", "b.jpg": "failed", "c.jpg": "queued"}
    assert "a character that no text may have" in jobs["b.jpg"].error
    assert len(jobs["b.jpg"].pipeline) == 100
    assert complaint(jobs["b.jpg"].settings, SETTINGS_SCHEMA), "a retry takes no other settings"
