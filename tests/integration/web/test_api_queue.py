"""The queue at a glance: counts, who works on what, how long it will take, and what is wrong."""

import uuid
from pathlib import Path

import pytest
from sqlalchemy import text

from local.postgres.cluster import superuser_url
from shared import workers
from shared.workers import Boot
from tests.web import API, Web


@pytest.fixture
def boot(web: Web) -> Boot:
    """A worker that is up."""
    made = Boot(f"vm-{uuid.uuid4().hex[:6]}", "us-central1-b", uuid.uuid4().hex, "e2-standard-2", 2)
    with web.cloud.engine.begin() as connection:
        workers.register(connection, made)
    return made


def test_counts_are_those_of_the_jobs_one_may_see(web: Web) -> None:
    """Own jobs and those of nobody are counted by state, others' are not."""
    ada, bob = web.person(), web.person()
    a, b, c, _ = web.record(ada.email, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    web.record(None, "open.jpg")
    web.finish(a)
    web.fail(b, "Broken.")
    web.claim(c)
    assert ada.api("/queue")["counts"] == {
        "queued": 2,
        "running": 1,
        "succeeded": 1,
        "failed": 1,
        "cancelled": 0,
        "superseded": 0,
    }
    assert bob.api("/queue")["counts"]["queued"] == 1
    assert bob.api("/queue")["counts"]["running"] == 0


def test_workers_show_what_they_do_but_not_for_whom(web: Web, boot: Boot) -> None:
    """Everybody sees that a worker is busy; the name of its file only those who may see the job."""
    ada, bob = web.person(), web.person()
    [job] = web.record(ada.email, "private.jpg")
    web.claim(job, worker=boot.id)

    def mine(instances: list[dict[str, object]]) -> dict[str, object]:
        return next(found for found in instances if found["id"] == boot.id)

    seen = mine(ada.api("/queue")["workers"]["instances"])
    assert seen["instance"] == boot.instance
    assert (seen["zone"], seen["machine_type"], seen["slots"]) == ("us-central1-b", "e2-standard-2", 2)
    assert seen["jobs"] == [
        {"id": str(job), "filename": "private.jpg", "pipeline": "image", "stage": "", "progress": 0.0}
    ]
    others = bob.get(f"{API}/queue")
    assert "private.jpg" not in others.text
    assert str(job) not in others.text
    assert mine(others.get_json()["workers"]["instances"])["jobs"] == [
        {"id": None, "filename": None, "pipeline": "image", "stage": "", "progress": 0.0}
    ]
    with web.cloud.engine.begin() as connection:
        workers.end(connection, boot.id, "The test is over.")
    assert boot.id not in ada.get(f"{API}/queue").text


def test_the_estimate_learns_from_what_finished(web: Web) -> None:
    """Before anything has finished there is no time; afterwards it grows with the queue, and money with the time."""
    ada = web.person(app=web.make(vm_hourly_usd=3.6))
    pipeline = f"p{uuid.uuid4().hex[:8]}"
    web.record(ada.email, *(f"{n}.x" for n in range(10)), pipeline=pipeline)
    assert ada.api("/queue")["estimate"] == {"seconds": None, "workers_suggested": 2, "cost_usd": None}
    for job in web.record(ada.email, "done.x", "done too.x", pipeline=pipeline):
        web.finish(job)
        with web.cloud.engine.begin() as connection:
            started = text("UPDATE jobs SET started_at = finished_at - interval '60 s' WHERE id = :id")
            connection.execute(started, {"id": job})
    told = ada.api("/queue")["estimate"]
    slots = web.settings().worker_slots
    assert told["seconds"] == pytest.approx(10 * 60 / (told["workers_suggested"] * slots), rel=0.01)
    assert told["cost_usd"] == pytest.approx(10 * 60 / slots / 1000, rel=0.01)


def test_a_queued_job_says_what_it_waits_for(web: Web) -> None:
    """Without a run it waits for one; in a run for its next try or for a worker."""
    ada = web.person()
    soon, later = web.record(ada.email, "soon.jpg", "later.jpg")

    def waits() -> dict[str, str]:
        return {job["id"]: job["waiting_for"] for job in ada.api("/jobs")["jobs"]}

    with web.cloud.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET not_before = now() + interval '1 h' WHERE id = :id"), {"id": later})
    assert waits() == {str(soon): "a run", str(later): "a run"}
    with web.cloud.engine.begin() as connection:
        connection.execute(text("INSERT INTO runs (started_by, workers) VALUES ('x', 1)"))
    try:
        assert waits() == {str(soon): "a worker", str(later): "its next try"}
    finally:
        with web.cloud.engine.begin() as connection:
            connection.execute(text("DELETE FROM runs"))


def test_pages_are_whole_without_script(web: Web) -> None:
    """The processing page carries its list, the upload page its form, and each says whom it takes the reader for."""
    ada = web.person()
    web.record(ada.email, "<b>photo.jpg")
    page = ada.get("/").text
    assert "&lt;b&gt;photo.jpg" in page
    assert "<b>photo" not in page
    assert ada.email in page
    upload = ada.get("/upload").text
    assert 'action="/upload"' in upload
    assert 'type="file"' in upload
    filtered = ada.get("/?status=failed").text
    assert "photo" not in filtered


def test_a_role_that_passes_over_row_level_security_is_refused(web: Web) -> None:
    """With the owner's login everybody would see everything, so the service says what is wrong and shows nothing."""
    owner = superuser_url(Path(web.cloud.data_dir) / "postgres", "spotmill")
    ada = web.person(app=web.make(database_url=owner))
    answer = ada.get(f"{API}/jobs")
    assert answer.status_code == 503
    assert "row-level security" in answer.get_json()["detail"]
