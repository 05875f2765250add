"""Retry of many: what the filters find and the person sees, each job once, a bounded while at a time."""

import uuid
from typing import Any

import pytest
from sqlalchemy import text

from services.web import bulk_retry
from shared import lifecycle
from shared.jobs import NewJob
from shared.routing import UNROUTED
from tests.cloud import wait_for
from tests.web import ADMIN, API, PUBLIC_URL, Person, Web


def retry(person: Person, **filters: Any) -> Any:
    answer = person.post(f"{API}/jobs/retry", json=filters)
    assert answer.status_code == 202, answer.text
    return answer.get_json()


def failed(web: Web, owner: str | None, *names: str, pipeline: str = "image") -> list[uuid.UUID]:
    """Jobs that have failed."""
    jobs = web.record(owner, *names, pipeline=pipeline)
    for job in jobs:
        web.fail(job, "Broken.")
    return jobs


def states(person: Person) -> dict[str, str]:
    return {job["filename"]: job["status"] for job in person.api("/jobs?limit=200")["jobs"]}


def test_what_was_never_there_is_not_tried(web: Web) -> None:
    """A job whose object was not there when it was announced says so again, and no VM starts for it."""
    ada = web.person()
    [job] = failed(web, ada.email, "absent.jpg")
    with web.cloud.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET generation = 0 WHERE id = :id"), {"id": job})
    answer = ada.post(f"{API}/jobs/{job}/retry")
    assert answer.status_code == 409
    assert answer.get_json()["detail"] == "The file was not there. Announce it again once it is."
    assert retry(ada) == {"queued": 0, "refused": 1, "next_cursor": None}
    assert states(ada) == {"absent.jpg": "failed"}


def test_everything_that_failed_is_tried_again(web: Web) -> None:
    """Without filters all failed jobs are queued with their failures forgotten; others stay as they are."""
    ada = web.person()
    failed(web, ada.email, "a.jpg", "b.jpg")
    done, cancelled = web.record(ada.email, "done.jpg", "cancelled.jpg")
    web.finish(done)
    ada.post(f"{API}/jobs/{cancelled}/cancel")
    assert retry(ada) == {"queued": 2, "refused": 0, "next_cursor": None}
    assert states(ada) == {"a.jpg": "queued", "b.jpg": "queued", "done.jpg": "succeeded", "cancelled.jpg": "cancelled"}
    assert {job["failures"] for job in ada.api("/jobs?status=queued")["jobs"]} == {0}
    with web.cloud.engine.begin() as connection:
        silent = text("SELECT count(*) FROM jobs WHERE status = 'queued' AND published_at IS NULL AND owner = :owner")
        assert connection.scalar(silent, {"owner": ada.email}) == 0
    assert retry(ada)["queued"] == 0


def test_the_filters_are_those_of_the_list(web: Web) -> None:
    """State, pipeline and part of the name choose what is tried again."""
    ada = web.person()
    failed(web, ada.email, "beach.jpg", "forest.jpg")
    [stopped] = web.record(ada.email, "beach-stopped.jpg")
    ada.post(f"{API}/jobs/{stopped}/cancel")
    assert retry(ada, q="forest", pipeline="unheard-of")["queued"] == 0
    assert retry(ada, q="forest", pipeline="image")["queued"] == 1
    assert retry(ada, q="beach", status="failed,cancelled")["queued"] == 2
    assert set(states(ada).values()) == {"queued"}


@pytest.mark.parametrize("filters", [{"status": "running"}, {"status": ""}, {"q": "\x00"}, {"cursor": "rubbish"}])
def test_what_cannot_be_tried_again_is_refused(web: Web, filters: dict[str, str]) -> None:
    """A running job is nothing to retry, nor is a page that never was one to go on from."""
    answer = web.person().post(f"{API}/jobs/retry", json=filters)
    assert answer.status_code == (400 if "cursor" in filters else 422)


def test_people_retry_what_they_see(web: Web) -> None:
    """Own jobs and those of nobody, by name or not; an admin retries everybody's."""
    ada, bob, admin = web.person(), web.person(), web.person(ADMIN)
    word = uuid.uuid4().hex
    failed(web, ada.email, f"hers-{word}.jpg")
    failed(web, None, f"open-{word}.jpg")
    assert retry(bob, q=word)["queued"] == 1
    assert retry(bob)["queued"] == 0
    assert ada.api(f"/jobs?q=hers-{word}")["jobs"][0]["status"] == "failed"
    assert retry(admin)["queued"] == 1


def test_pipelines_are_chosen_anew(web: Web) -> None:
    """What no pipeline takes stays failed and is counted; what one takes now, goes to it."""
    ada = web.person()
    failed(web, ada.email, "lost.jpg", pipeline="unheard-of")
    jobs = [
        NewJob("spotmill-uploads", f"{uuid.uuid4()}/{name}", 1, UNROUTED, 9, kind, owner=ada.email, error="None.")
        for name, kind in (("now.txt", "text/x-trial"), ("never.bin", "application/x-never"))
    ]
    with web.cloud.engine.begin() as connection:
        lifecycle.record(connection, jobs)
        connection.execute(text("INSERT INTO pipelines VALUES ('trial', '1', '{text/x-trial}', '{}')"))
    try:
        assert retry(ada) == {"queued": 1, "refused": 2, "next_cursor": None}
    finally:
        with web.cloud.engine.begin() as connection:
            connection.execute(text("DELETE FROM pipelines WHERE name = 'trial'"))
    assert ada.names("pipeline=trial&status=queued") == ["now.txt"]
    assert states(ada) == {"lost.jpg": "failed", "now.txt": "queued", "never.bin": "failed"}


def test_many_take_several_calls(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call does as much as a few seconds allow and says where to go on; each job is met once, refused or not."""
    monkeypatch.setattr(bulk_retry, "_BATCH", 4)
    monkeypatch.setattr(bulk_retry, "_SECONDS", 0.0)
    ada = web.person()
    failed(web, ada.email, *(f"{n}.jpg" for n in range(7)))
    failed(web, ada.email, "x.jpg", "y.jpg", pipeline="unheard-of")
    answers = [retry(ada)]
    while cursor := answers[-1]["next_cursor"]:
        answers.append(retry(ada, cursor=cursor))
    assert [answer["queued"] + answer["refused"] for answer in answers] == [4, 4, 1]
    assert sum(answer["queued"] for answer in answers) == 7


def test_the_tick_announces_what_a_call_did_not(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only some are announced at once; the rest waits unannounced for the tick, and none is forgotten."""
    monkeypatch.setattr(bulk_retry, "_ANNOUNCED", 2)
    ada = web.person()
    failed(web, ada.email, *(f"{n}.jpg" for n in range(5)))
    silent = text("SELECT count(*) FROM jobs WHERE published_at IS NULL AND status = 'queued' AND owner = :owner")

    def unannounced() -> int:
        with web.cloud.engine.connect() as connection:
            return int(connection.scalar(silent, {"owner": ada.email}) or 0)

    assert retry(ada)["queued"] == 5
    assert unannounced() <= 3  # a tick of the scheduler may have come meanwhile
    web.cloud.tick()
    wait_for(lambda: unannounced() == 0, what="the tick announces the rest")


def test_a_form_does_the_same(web: Web) -> None:
    """Without script the page of failed jobs has one button for all of them."""
    ada = web.person()
    failed(web, ada.email, "a.jpg", "b.jpg")
    assert "Retry all failed" in ada.get("/?status=failed").text
    fields = {"status": "failed", "pipeline": "", "q": ""}
    answer = ada.post("/jobs/retry", data=fields, headers={"Origin": PUBLIC_URL})
    assert answer.status_code == 303
    assert "in the queue again" in ada.get(answer.headers["Location"]).text
    assert set(states(ada).values()) == {"queued"}
    assert ada.post("/jobs/retry", data={"status": "running"}, headers={"Origin": PUBLIC_URL}).status_code == 422
