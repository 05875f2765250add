"""Pause and resume of the whole queue: by admins, seen by everybody, and nothing waits longer than it must."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from tests.cloud import wait_for
from tests.web import ADMIN, API, PUBLIC_URL, Person, Web

FORM = {"Origin": PUBLIC_URL}


@pytest.fixture(autouse=True)
def _moves_again(web: Web) -> Iterator[None]:
    """The queue moves and no run is open when the test is over."""
    yield
    web.settle("pauses")


def press(person: Person, what: str) -> dict[str, object]:
    answer = person.post(f"{API}/queue/{what}")
    assert answer.status_code == 200, answer.text
    queue: dict[str, object] = answer.get_json()
    return queue


def test_admins_pause_and_resume(web: Web) -> None:
    """Who paused it first and when stays told, however often it is pressed; people who are no admins are refused."""
    ada, admin, other = (
        web.person(),
        web.person(ADMIN),
        web.person("second@example.org", web.make(admins="second@example.org")),
    )
    for what in ("pause", "resume"):
        refused = ada.post(f"{API}/queue/{what}")
        assert (refused.status_code, refused.get_json()["title"]) == (403, "For admins only")
        assert ada.post(f"/{what}", headers=FORM).status_code == 403
    paused = press(admin, "pause")["pause"]
    assert isinstance(paused, dict)
    assert paused["paused_by"] == ADMIN
    assert press(other, "pause")["pause"] == paused
    assert ada.api("/queue")["pause"] == paused
    assert press(other, "resume")["pause"] is None
    assert press(admin, "resume")["pause"] is None
    assert ada.api("/queue")["pause"] is None


def test_every_page_says_so(web: Web) -> None:
    """Each page names who paused the queue, with and without script; a waiting job says what it waits for."""
    ada, admin = web.person(), web.person(ADMIN)
    [job] = web.record(ada.email, "a.jpg")
    assert "Pause the queue" in admin.get("/").text
    assert "Pause the queue" not in ada.get("/").text
    answer = admin.post("/pause", headers=FORM)
    assert "nothing new starts" in admin.get(answer.headers["Location"]).text
    for path in ("/", "/upload", f"/jobs/{job}"):
        assert f"The queue is paused by {ADMIN} since" in ada.get(path).text
    assert ada.api(f"/jobs/{job}")["waiting_for"] == "the queue to be resumed"
    assert admin.post("/resume", headers=FORM).status_code == 303
    assert "is paused by" not in ada.get("/upload").text
    assert ada.api(f"/jobs/{job}")["waiting_for"] == "a run"


def test_a_run_waits_for_the_queue_and_goes_on(web: Web) -> None:
    """A run that is started during a pause orders no VM and stays open; resuming announces its jobs and orders VMs."""
    ada, admin = web.person(), web.person(ADMIN)
    jobs = web.record(ada.email, "a.jpg", "b.jpg")
    press(admin, "pause")
    with web.cloud.engine.begin() as connection:
        connection.execute(text("UPDATE jobs SET published_at = NULL"))
    started = ada.post(f"{API}/runs", json={"workers": 2}).get_json()
    assert started["state"] == "running"
    web.cloud.tick()
    queue = ada.api("/queue")
    assert queue["run"]["id"] == started["id"]
    assert queue["workers"] == {"target": 0, "instances": []}
    announced = text("SELECT count(*) FROM jobs WHERE published_at IS NOT NULL")
    with web.cloud.engine.connect() as connection:
        assert connection.scalar(announced) == 0
    resumed = press(admin, "resume")
    with web.cloud.engine.connect() as connection:
        assert connection.scalar(announced) == len(jobs)
    assert resumed["workers"]["target"] == 2  # type: ignore[index]
    wait_for(lambda: ada.api("/queue")["workers"]["instances"], 60, "a worker is up")


def test_resume_does_not_need_compute(web: Web) -> None:
    """While Compute is away the queue moves all the same; the next tick sizes the fleet."""
    ada = web.person()
    admin = web.person(ADMIN, web.make(compute_endpoint="http://127.0.0.1:9"))
    [job] = web.record(ada.email, "a.jpg")
    press(admin, "pause")
    assert press(admin, "resume")["pause"] is None
    assert ada.api(f"/jobs/{job}")["waiting_for"] == "a run"
