"""Run starts workers once, however often it is pressed; Stop ends it; without Compute nothing half-starts."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.pubsub_v1 import PubsubMessage
from sqlalchemy import text

from local.site import TICK_TOPIC
from tests.cloud import Cloud, wait_for
from tests.web import API, PUBLIC_URL, Person, Web

FORM = {"Origin": PUBLIC_URL}


def tick(cloud: Cloud) -> None:
    """Let a minute pass for the dispatcher."""
    topic = f"projects/{cloud.settings.project}/topics/{TICK_TOPIC}"
    cloud.publisher.publish(topic=topic, messages=[PubsubMessage(data=json.dumps({"task": "tick"}).encode())])


@pytest.fixture(autouse=True)
def _no_run_stays(web: Web) -> Iterator[None]:
    """Every run that a test opened is over afterwards, and its VMs are gone."""
    yield
    ada = web.person()
    web.cloud.engine.dispose()
    with web.cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs"))

    def over() -> bool:
        ada.post(f"{API}/runs/current/stop", json={"mode": "now"})
        tick(web.cloud)
        return ada.get(f"{API}/runs/current").status_code == 404

    wait_for(over, 60, "the run is over")


def open_runs(web: Web) -> int:
    with web.cloud.engine.begin() as connection:
        return int(connection.scalar(text("SELECT count(*) FROM runs WHERE ended_at IS NULL")) or 0)


def start(person: Person, **body: Any) -> Any:
    answer = person.post(f"{API}/runs", json=body)
    assert answer.status_code == 202, answer.text
    return answer.get_json()


def test_pressing_run_twice_starts_one_run(web: Web) -> None:
    """Two presses at the same moment, and a third for more workers, leave one run with the larger number."""
    ada, bob = web.person(), web.person()
    web.record(ada.email, *(f"{n}.jpg" for n in range(4)))
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda who: start(who, workers=1), (ada, bob))
    assert first["id"] == second["id"]
    assert first["state"] == "running"
    third = start(bob, workers=2)
    assert (third["id"], third["workers"], third["started_by"]) == (first["id"], 2, first["started_by"])
    assert open_runs(web) == 1
    assert ada.api("/runs/current")["id"] == first["id"]
    queue = ada.api("/queue")
    assert queue["run"]["id"] == first["id"]
    assert queue["workers"]["target"] == 2
    wait_for(lambda: len(ada.api("/queue")["workers"]["instances"]) == 2, what="two workers are up")


def test_stop_drains_or_stops_now(web: Web) -> None:
    """A stopped run says who stopped it and how, and is over when its VMs are gone."""
    ada, bob = web.person(), web.person()
    assert ada.post(f"{API}/runs/current/stop", json={"mode": "drain"}).status_code == 404
    web.record(ada.email, "a.jpg")
    started = start(ada)
    stopped = bob.post(f"{API}/runs/current/stop", json={"mode": "drain"})
    assert stopped.status_code == 200
    body = stopped.get_json()
    assert (body["id"], body["state"], body["stop_mode"], body["stopped_by"]) == (
        started["id"],
        "stopping",
        "drain",
        bob.email,
    )
    sooner = bob.post(f"{API}/runs/current/stop", json={"mode": "now"})
    # A tick may have ended the run meanwhile, as none of its VMs was up yet.
    assert sooner.status_code == 404 or sooner.get_json()["stop_mode"] == "now"

    def ended() -> Any:
        tick(web.cloud)
        last = ada.api("/queue")["last_run"]
        return last if last and last["id"] == started["id"] else None

    last = wait_for(ended, 60, "the run is over")
    assert (last["state"], last["end_reason"]) == ("ended", "stopped")


def test_a_stopped_run_is_over_as_soon_as_its_vms_are_while_somebody_watches(web: Web) -> None:
    """A page that is open need not wait for the minute's tick."""
    ada = web.person()
    web.record(ada.email, "a.jpg")
    started = start(ada)
    assert ada.post(f"{API}/runs/current/stop", json={"mode": "now"}).status_code == 200
    watch = web.app.extensions["spotmill"].watch

    def ended() -> bool:
        watch.refresh()  # what a page that polls brings about every two seconds
        last = ada.api("/queue")["last_run"]
        return bool(last and last["id"] == started["id"])

    wait_for(ended, 10, "the run is over")
    assert watch.look().target == 0


def test_the_number_of_workers_has_limits(web: Web) -> None:
    """More workers than allowed, none, or words are refused, in the API and in the form."""
    ada = web.person()
    for workers in (0, -1, 3, "2", 1.5, True):
        answer = ada.post(f"{API}/runs", json={"workers": workers})
        assert answer.status_code == 422, workers
        assert answer.get_json()["errors"][0]["pointer"] == "/workers"
    for words in ("0", "3", "many", "²"):
        assert ada.post("/run", data={"workers": words}, headers=FORM).status_code == 422
    assert ada.post("/stop", data={"mode": "slowly"}, headers=FORM).status_code == 422
    assert open_runs(web) == 0


def test_run_without_a_body_takes_the_suggestion(web: Web) -> None:
    """An empty POST starts the suggested number of workers."""
    ada = web.person()
    web.record(ada.email, *(f"{n}.jpg" for n in range(9)))
    answer = ada.post(f"{API}/runs")
    assert answer.status_code == 202
    assert answer.get_json()["workers"] == ada.api("/queue")["estimate"]["workers_suggested"]


def test_run_with_nothing_to_do_is_over_at_once(web: Web) -> None:
    """Without a job no VM starts, and the answer says that the run has ended."""
    ada = web.person()
    run = start(ada, workers=2)
    assert (run["state"], run["end_reason"], run["jobs_done"]) == ("ended", "finished", 0)
    assert open_runs(web) == 0


def test_without_compute_nothing_half_starts(web: Web) -> None:
    """If Compute cannot be reached, Run says so and leaves no open run; the queue and the page go on."""
    ada = web.person(app=web.make(compute_endpoint="http://127.0.0.1:9"))
    web.record(ada.email, "a.jpg")
    answer = ada.post(f"{API}/runs", json={"workers": 1})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "Compute" in answer.get_json()["detail"]
    assert int(answer.headers["Retry-After"]) > 0
    assert open_runs(web) == 0
    page = ada.post("/run", data={"workers": "1"}, headers=FORM)
    assert (page.status_code, page.mimetype) == (503, "text/html")
    wait_for(lambda: ada.api("/queue")["problem"], what="the queue says what is wrong")
    assert ada.get("/").status_code == 200


def test_the_forms_start_and_stop(web: Web) -> None:
    """Without script, Run and Stop lead back to the processing page, which says what happens."""
    ada = web.person()
    web.record(ada.email, "a.jpg")
    for path, fields, words in (
        ("/run", {"workers": "1"}, "workers are starting"),
        ("/stop", {"mode": "drain"}, "finish what they hold"),
    ):
        answer = ada.post(path, data=fields, headers=FORM)
        assert answer.status_code == 303
        assert words in ada.get(answer.headers["Location"]).text
