"""People see their jobs and what is everybody's, page by page, and may retry and cancel them."""

import uuid

import pytest
import requests
from sqlalchemy import text
from structlog.testing import capture_logs

from shared import lifecycle
from shared.jobs import Hold, NewJob
from shared.lifecycle import release
from shared.models import Outcome
from shared.routing import UNROUTED
from tests.cloud import wait_for
from tests.web import ADMIN, API, Web


def test_a_job_is_shown_as_described(web: Web) -> None:
    """The listing has everything of a job that a page needs, numbers that JavaScript can hold, and times in UTC."""
    ada = web.person()
    [job] = web.record(ada.email, "été.jpg")
    [shown] = [found for found in ada.api("/jobs")["jobs"] if found["id"] == str(job)]
    assert shown["filename"] == "été.jpg"
    assert shown["object"].endswith("/été.jpg")
    assert shown["generation"] == "1"
    assert shown["owner"] == ada.email
    assert shown["status"] == "queued"
    assert shown["waiting_for"] == "a run"
    assert shown["progress"] == 0
    assert shown["thumbnail_url"] is None
    assert shown["created_at"].endswith("Z")
    assert "lease_until" not in shown


def test_what_belongs_to_others_is_not_there(web: Web) -> None:
    """Somebody else's job is in no list, no search, no count and under no address; what has no owner is everybody's."""
    ada, bob, admin = web.person(), web.person(), web.person(ADMIN)
    word = uuid.uuid4().hex
    [hers] = web.record(ada.email, f"hers-{word}.jpg")
    web.record(None, f"open-{word}.jpg")
    web.finish(hers, [web.result("thumbnail", b"x", "image/webp", "t.webp")])
    [artifact] = ada.api(f"/jobs/{hers}")["artifacts"]
    assert ada.names(f"q={word}") == [f"open-{word}.jpg", f"hers-{word}.jpg"]
    assert admin.names(f"q={word}") == [f"open-{word}.jpg", f"hers-{word}.jpg"]
    assert bob.names(f"q={word}") == [f"open-{word}.jpg"]
    assert bob.names() == [f"open-{word}.jpg"]
    assert bob.names("status=succeeded") == []
    assert bob.api("/queue")["counts"]["succeeded"] == 0
    assert ada.api("/queue")["counts"]["succeeded"] == 1
    for path in (f"{API}/jobs/{hers}", f"/jobs/{hers}", f"{API}/artifacts/{artifact['id']}"):
        assert bob.get(path).status_code == 404
    for path in (
        f"{API}/jobs/{hers}/retry",
        f"{API}/jobs/{hers}/cancel",
        f"/jobs/{hers}/retry",
        f"/jobs/{hers}/cancel",
    ):
        assert bob.post(path).status_code == 404
    assert ada.api(f"/jobs/{hers}")["status"] == "succeeded"


def test_pages_follow_each_other_without_gap_or_repeat(web: Web) -> None:
    """Walking from cursor to cursor meets every job once, newest first, also when a new one arrives meanwhile."""
    ada = web.person()
    names = [f"{n}.jpg" for n in range(7)]
    web.record(ada.email, *names[:4])
    web.record(None, *names[4:])
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = ada.api(f"/jobs?limit=2&cursor={cursor}")
        assert 1 <= len(page["jobs"]) <= 2
        seen += [job["filename"] for job in page["jobs"]]
        cursor = page["next_cursor"]
        web.record(ada.email, "newer.jpg")
    assert seen == names[::-1]


def test_filters_can_be_combined(web: Web) -> None:
    """State, pipeline and part of the name each narrow the list, and a search takes its letters literally."""
    ada = web.person()
    first, second, third = web.record(ada.email, "beach_1.jpg", "beach%1.jpg", "Forest.jpg")
    web.record(ada.email, "talk.mp3", pipeline="audio")
    web.finish(first)
    web.fail(third, "No image at all.")
    assert ada.names("status=succeeded,failed") == ["Forest.jpg", "beach_1.jpg"]
    assert ada.names("pipeline=audio") == ["talk.mp3"]
    assert ada.names("q=FOREST") == ["Forest.jpg"]
    assert ada.names("q=beach_1") == ["beach_1.jpg"]
    assert ada.names("q=each%251") == ["beach%1.jpg"]
    assert ada.names("q=be&status=queued&pipeline=image") == ["beach%1.jpg"]
    assert ada.names("q=fo") == ["Forest.jpg"]
    assert ada.names("q=20251203T15Z") == []
    assert ada.names("q=%5C") == []
    assert ada.names("q=%27%3B--") == []
    assert ada.names("q=beach&limit=1") == ["beach%1.jpg"]
    cursor = ada.api("/jobs?q=beach&limit=1")["next_cursor"]
    assert ada.names(f"q=beach&limit=1&cursor={cursor}") == ["beach_1.jpg"]
    assert str(second) in {job["id"] for job in ada.api("/jobs?q=beach")["jobs"]}


def test_an_upload_finds_its_own_job(web: Web) -> None:
    """By the whole name of its object, which tells whether a file arrived when the answer to that was lost."""
    ada, bob = web.person(), web.person()
    web.record(ada.email, "a.jpg", "a.jpg")
    wanted, other = [job["object"] for job in ada.api("/jobs")["jobs"]]
    assert [job["object"] for job in ada.api(f"/jobs?object={wanted}")["jobs"]] == [wanted]
    assert ada.names(f"object={other[1:]}") == []
    assert bob.names(f"object={wanted}") == []


def test_a_made_up_cursor_is_refused(web: Web) -> None:
    """The address of a page that never was is an error in words, in the API and on the page."""
    ada = web.person()
    assert ada.get(f"{API}/jobs?cursor=rubbish").status_code == 400
    assert ada.get("/?cursor=rubbish").status_code == 400


def test_nothing_new_costs_nothing(web: Web) -> None:
    """Who has the newest answer gets 304 without a body; a change brings a whole answer."""
    ada = web.person()
    [job] = web.record(ada.email, "a.jpg")
    for path in ("/jobs", "/queue", f"/jobs/{job}"):
        answer = ada.get(API + path)
        again = ada.get(API + path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["ETag"] == answer.headers["ETag"]
    before = {path: ada.get(API + path).headers["ETag"] for path in ("/jobs", "/queue", f"/jobs/{job}")}
    web.finish(job)
    for path, tag in before.items():
        assert ada.get(API + path, headers={"If-None-Match": tag}).status_code == 200


def test_a_job_shows_its_attempts_and_results(web: Web) -> None:
    """Each attempt says how it ended, a preempted one is no failure, and each result can be fetched at once."""
    ada = web.person()
    [job] = web.record(ada.email, "photo.jpg")
    [first] = web.claim(job)
    with web.cloud.engine.begin() as connection:
        release(connection, [Hold(job, first.attempt)], outcome=Outcome.PREEMPTED, reason="The VM was taken away.")
    web.finish(job, [web.result("thumbnail", b"small", "image/webp", "thumbnail.webp")])
    shown = ada.api(f"/jobs/{job}")
    assert [attempt["outcome"] for attempt in shown["attempts"]] == ["succeeded", "preempted"]
    assert shown["attempts"][1]["error"] == "The VM was taken away."
    assert shown["failures"] == 0
    assert shown["result"] == {"width": 4}
    assert shown["settings"] == {}
    [artifact] = shown["artifacts"]
    fetched = requests.get(artifact["url"], timeout=10)
    assert fetched.content == b"small"
    assert fetched.headers["Content-Type"] == "image/webp"
    [listed] = ada.api("/jobs")["jobs"]
    assert listed["thumbnail_url"] == f"{API}/artifacts/{artifact['id']}"


def test_an_artifact_has_an_address_that_never_expires(web: Web) -> None:
    """It leads to a fresh signed URL each time; asked to, the browser saves the file under its own name."""
    ada = web.person()
    [job] = web.record(ada.email, "photo.jpg")
    web.finish(job, [web.result("web", b"picture", "image/webp", "été.webp")])
    [artifact] = ada.api(f"/jobs/{job}")["artifacts"]
    shown = ada.get(f"{API}/artifacts/{artifact['id']}")
    assert shown.status_code == 302
    assert "private" in shown.headers["Cache-Control"]
    assert requests.get(shown.headers["Location"], timeout=10).headers["Content-Disposition"].startswith("inline;")
    saved = ada.get(f"{API}/artifacts/{artifact['id']}?download=1")
    disposition = requests.get(saved.headers["Location"], timeout=10).headers["Content-Disposition"]
    assert disposition == "attachment; filename=\"photo-_t_.webp\"; filename*=UTF-8''photo-%C3%A9t%C3%A9.webp"
    assert ada.get(f"{API}/artifacts/{uuid.uuid4()}").status_code == 404


def test_a_failed_job_can_be_tried_again(web: Web) -> None:
    """Retry queues it anew, forgets its failures and announces it; a job in another state is left alone."""
    ada = web.person()
    [job] = web.record(ada.email, "photo.jpg")
    web.fail(job, "The file is cut off.")
    assert ada.api(f"/jobs/{job}")["error"] == "The file is cut off."
    answer = ada.post(f"{API}/jobs/{job}/retry")
    assert answer.status_code == 202
    assert answer.get_json()["status"] == "queued"
    assert answer.get_json()["failures"] == 0
    with web.cloud.engine.begin() as connection:
        assert connection.scalar(text("SELECT published_at IS NOT NULL FROM jobs WHERE id = :id"), {"id": job})
    again = ada.post(f"{API}/jobs/{job}/retry")
    assert again.status_code == 409
    assert "queued" in again.get_json()["detail"]


def test_a_retry_survives_pubsub_being_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is the truth: without Pub/Sub the job is queued all the same, and the next tick announces it."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    monkeypatch.setattr("shared.queue._DEADLINE_SECONDS", 1)
    ada = web.person(app=web.make())
    [job] = web.record(ada.email, "photo.jpg")
    web.fail(job, "Broken.")
    with capture_logs() as logs:
        assert ada.post(f"{API}/jobs/{job}/retry").status_code == 202
    assert [entry["event"] for entry in logs] == ["job.retried", "queue.publish_failed"]
    assert ada.api(f"/jobs/{job}")["status"] == "queued"
    web.cloud.tick()
    with web.cloud.engine.connect() as connection:
        announced = text("SELECT published_at > queued_at FROM jobs WHERE id = :id")
        wait_for(lambda: connection.scalar(announced, {"id": job}), what="the tick announces it")


def test_a_job_that_no_pipeline_accepts_waits_for_one(web: Web) -> None:
    """Trying it again costs no VM while there is no pipeline for it, and takes the one that has come since."""
    ada = web.person()
    asked = NewJob(
        "spotmill-uploads", f"{uuid.uuid4()}/a.txt", 1, UNROUTED, 9, "text/x-trial", owner=ada.email, error="None."
    )
    with web.cloud.engine.begin() as connection:
        [job] = lifecycle.record(connection, [asked])
    refused = ada.post(f"{API}/jobs/{job.id}/retry")
    assert refused.status_code == 409
    assert refused.get_json()["detail"] == "No installed pipeline accepts text/x-trial files."
    with web.cloud.engine.begin() as connection:
        connection.execute(text("INSERT INTO pipelines VALUES ('trial', '1', '{text/x-trial}', '{}')"))
    try:
        again = ada.post(f"{API}/jobs/{job.id}/retry")
        assert (again.status_code, again.get_json()["pipeline"]) == (202, "trial")
    finally:
        with web.cloud.engine.begin() as connection:
            connection.execute(text("DELETE FROM pipelines WHERE name = 'trial'"))


def test_a_pipeline_that_was_never_there_costs_no_vm_either(web: Web) -> None:
    """Trying again names the pipelines that there are."""
    ada = web.person()
    [job] = web.record(ada.email, "photo.jpg", pipeline="oops")
    web.fail(job, "There is no pipeline named 'oops'.")
    refused = ada.post(f"{API}/jobs/{job}/retry")
    assert refused.status_code == 409
    assert refused.get_json()["detail"].startswith("There is no pipeline named 'oops'. Installed: ")


def test_a_job_can_be_cancelled_once(web: Web) -> None:
    """A queued or running job is stopped by name; one that is over is not."""
    ada = web.person()
    queued, running = web.record(ada.email, "a.jpg", "b.jpg")
    web.claim(running)
    for job in (queued, running):
        answer = ada.post(f"{API}/jobs/{job}/cancel")
        assert (answer.status_code, answer.get_json()["status"]) == (202, "cancelled")
        assert ada.email in answer.get_json()["error"]
        assert ada.post(f"{API}/jobs/{job}/cancel").status_code == 409
    assert ada.api(f"/jobs/{running}")["attempts"][0]["outcome"] == "cancelled"


def test_the_forms_of_the_pages_do_the_same(web: Web) -> None:
    """Without script, retry and cancel lead back to the job's page, which says what was done."""
    ada = web.person()
    [job] = web.record(ada.email, "photo.jpg")
    for done, word in (("cancel", "cancelled"), ("retry", "queue again")):
        answer = ada.post(f"/jobs/{job}/{done}")
        assert answer.status_code == 303
        page = ada.get(answer.headers["Location"])
        assert page.status_code == 200
        assert word in page.text
        assert "photo.jpg" in page.text
    refused = ada.post(f"/jobs/{job}/retry")
    assert (refused.status_code, refused.mimetype) == (409, "text/html")
