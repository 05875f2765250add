"""What the services stand on refuses, is slow or hangs: they say so, wait, and lose nothing."""

import json
import os
import signal
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
import requests
from google.pubsub_v1 import PubsubMessage
from sqlalchemy import text

from eventarc.contract import read_sample
from local.faults.control import FaultControl
from tests.cloud import Cloud, running, wait_for
from tests.photos import photographs

#: What one process may ask of a server in a second while that refuses; a tight loop asks thousands of times.
MOST_PER_SECOND = 40
#: How long a request is waited for. Anything that hangs takes longer.
PATIENCE_SECONDS = 90
UPLOADS = 12


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud whose services reach the database through a cable, and are impatient with it."""
    environment = {"SPOTMILL_DATABASE_TIMEOUT_SECONDS": "3", "SPOTMILL_BACKOFF_SECONDS": "0.5"}
    data_dir = tmp_path_factory.mktemp("backpressure") / "data"
    with running(data_dir, "--port", "0", "--cable", "--max-workers", "1", environment=environment) as cloud:
        yield cloud


@pytest.fixture
def mill(server: Cloud) -> Iterator[Cloud]:
    """The same, well again after each test, with a queue of nothing but the test's own."""
    yield server
    for name in ("gcs", "pubsub", "compute", "eventarc", "postgres"):
        faults(server, name).clear()
    with server.engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs"))


@pytest.fixture
def folder() -> str:
    """A prefix of this test alone."""
    return f"20251203T15Z/{uuid.uuid4()}"


def faults(mill: Cloud, server: str) -> FaultControl:
    return FaultControl.of(mill.environment, server)


def upload(mill: Cloud, folder: str, number: int = UPLOADS) -> None:
    body = next(path for path in photographs() if path.suffix == ".jpg").read_bytes()
    with ThreadPoolExecutor(4) as pool:
        names = [f"{folder}/{n}.jpg" for n in range(number)]
        list(pool.map(lambda name: mill.uploads.blob(name).upload_from_string(body, content_type="image/jpeg"), names))


def jobs(mill: Cloud, folder: str) -> list[Any]:
    with mill.engine.connect() as connection:
        statement = text("SELECT * FROM jobs WHERE object LIKE :folder ORDER BY object")
        return list(connection.execute(statement, {"folder": f"{folder}/%"}))


def recorded(mill: Cloud, folder: str, number: int = UPLOADS) -> None:
    """Wait until every upload is a job that is published, or that a worker has already, and check that none is two."""

    def announced() -> bool:
        return len({j.object for j in jobs(mill, folder) if j.published_at or j.status != "queued"}) == number

    wait_for(announced, 180, "all are published")
    assert len(jobs(mill, folder)) == number


def deliver(mill: Cloud, folder: str) -> int:
    """Post a finalize event of one more object as Eventarc does; return the status."""
    sample = read_sample("storage-finalized")
    body = sample.body | {
        "bucket": mill.settings.upload_bucket,
        "name": f"{folder}/direct.jpg",
        "contentType": "image/jpeg",
    }
    url = mill.environment["SPOTMILL_DISPATCHER_URL"]
    return requests.post(url, json.dumps(body), headers=sample.headers, timeout=PATIENCE_SECONDS).status_code


def get(mill: Cloud, path: str) -> requests.Response:
    return requests.get(f"{mill.web_url}{path}", timeout=PATIENCE_SECONDS)


def check_words(answer: requests.Response) -> None:
    """The answer is a refusal for people and programs: 503, when to come again, and what is the matter."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["title"]


@contextmanager
def counted(control: FaultControl, *rules: dict[str, Any]) -> Iterator[None]:
    """Follow the rules, and check at the end that nobody asked in a tight loop while they held."""
    began = time.monotonic()
    control.put(rules)
    yield
    seconds = time.monotonic() - began
    report = control.get()
    control.clear()
    for rule in report["rules"]:
        assert rule["injected"] > 0, rule
        assert rule["seen"] <= MOST_PER_SECOND * (seconds + 1), (rule, seconds)


@contextmanager
def frozen(mill: Cloud, server: str) -> Iterator[None]:
    """Stop a server as a machine without air does: its port takes connections, and nobody answers."""
    process = psutil.Process(mill.pids()[server])
    stopped = [process, *process.children(recursive=True)]
    for each in stopped:
        os.kill(each.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for each in stopped:
            os.kill(each.pid, signal.SIGCONT)


def start_workers(mill: Cloud) -> None:
    answer = requests.post(
        f"{mill.web_url}/api/v1/runs", json={"workers": 1}, headers={"Origin": mill.web_url}, timeout=PATIENCE_SECONDS
    )
    assert answer.status_code == 202, answer.text


def check_results(mill: Cloud, folder: str, number: int = UPLOADS) -> None:
    """Every job succeeded, and each of its files is published once and there."""
    wait_for(lambda: sum(j.status == "succeeded" for j in jobs(mill, folder)) == number, 240, "every job succeeded")
    with mill.engine.connect() as connection:
        statement = text("SELECT a.object FROM artifacts a JOIN jobs j ON j.id = a.job_id WHERE j.object LIKE :folder")
        artifacts = list(connection.execute(statement, {"folder": f"{folder}/%"}).scalars())
    stored = {blob.name for blob in mill.storage.list_blobs(mill.settings.result_bucket)}
    assert len(artifacts) == len(set(artifacts)) == 3 * number
    assert stored.issuperset(artifacts)


def test_a_database_that_refuses_is_an_answer_and_no_loss(mill: Cloud, folder: str) -> None:
    """The dispatcher answers 5xx, the web 503 in words; when connections are taken again every upload is a job."""
    assert (deliver(mill, folder), get(mill, "/api/v1/queue").status_code) == (200, 200)  # both are connected
    with counted(faults(mill, "postgres"), {"fault": "cut"}, {"fault": "refuse"}):
        assert deliver(mill, folder) >= 500
        upload(mill, folder)
        check_words(get(mill, "/api/v1/queue"))
        check_words(get(mill, "/api/v1/jobs"))
        assert get(mill, "/").status_code == 503
    wait_for(lambda: deliver(mill, folder) == 200, 60, "the dispatcher is back")
    recorded(mill, folder, UPLOADS + 1)


def test_a_database_that_hangs_holds_nobody(mill: Cloud, folder: str) -> None:
    """Bytes go in and none come out: each request still gets its 5xx, and afterwards everything goes on."""
    with counted(faults(mill, "postgres"), {"fault": "hang", "match": "answer"}):
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda path: get(mill, path), ["/api/v1/queue", "/api/v1/jobs"] * 2))
        for answer in answers:
            check_words(answer)
        assert deliver(mill, folder) >= 500
    upload(mill, folder, 2)
    recorded(mill, folder, 2)


def test_a_slow_database_only_takes_time(mill: Cloud, folder: str) -> None:
    """With a fifth of a second for each packet everything is still recorded and shown."""
    faults(mill, "postgres").put([{"fault": "latency", "delay_seconds": 0.2, "match": "request"}])
    upload(mill, folder)
    recorded(mill, folder)
    assert get(mill, "/api/v1/queue").status_code == 200


def test_a_pubsub_that_refuses_publishes_loses_no_job(mill: Cloud, folder: str) -> None:
    """Events come again until their jobs are announced; a retry in the web is told in words."""
    rule = {"fault": "error", "match": "^Publish .*jobs$"}
    with counted(faults(mill, "pubsub"), rule | {"code": "UNAVAILABLE"}):
        upload(mill, folder)
        wait_for(lambda: len(jobs(mill, folder)) == UPLOADS, 180, "all are recorded")
        assert not any(j.published_at for j in jobs(mill, folder))
    recorded(mill, folder)
    with counted(faults(mill, "pubsub"), rule | {"code": "RESOURCE_EXHAUSTED", "count": 3}):
        upload(mill, f"{folder}/more", 3)
        recorded(mill, f"{folder}/more", 3)


def test_a_storage_that_hangs_holds_no_thread_of_the_dispatcher(mill: Cloud, folder: str) -> None:
    """More ingest messages than it has threads wait for an answer that never comes; then all are recorded."""
    upload(mill, folder)
    recorded(mill, folder)
    with mill.engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs"))
    uris = [f"gs://{mill.settings.upload_bucket}/{folder}/{n}.jpg" for n in range(UPLOADS)]
    messages = [PubsubMessage(data=json.dumps({"uri": uri}).encode()) for uri in uris]
    with counted(faults(mill, "gcs"), {"fault": "hang", "match": "GET /storage/v1/b/[^/]+/o/"}):
        mill.publisher.publish(topic=mill.topic(mill.settings.ingest_topic), messages=messages)
        control = faults(mill, "gcs")
        wait_for(lambda: control.get()["rules"][0]["seen"] >= 8, PATIENCE_SECONDS, "every thread waits")
        assert deliver(mill, folder) == 200
    recorded(mill, folder, UPLOADS + 1)


def test_a_frozen_pubsub_holds_no_request(mill: Cloud, folder: str) -> None:
    """The dispatcher answers 5xx although nobody ever answers it, and the web goes on showing pages."""
    with frozen(mill, "pubsub"):
        assert deliver(mill, folder) >= 500
        assert get(mill, "/api/v1/queue").status_code == 200
    upload(mill, folder, 2)
    wait_for(lambda: deliver(mill, folder) == 200, 60, "the dispatcher is back")
    recorded(mill, folder, 3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_dispatcher_that_ends_or_hangs_in_a_burst_loses_nothing(
    mill: Cloud, folder: str, number: signal.Signals
) -> None:
    """Uploads go on while it is away; each becomes one published job."""
    upload(mill, f"{folder}/before", UPLOADS)
    if number == signal.SIGKILL:
        mill.kill("dispatcher")
        upload(mill, f"{folder}/during", UPLOADS)
    else:
        with frozen(mill, "dispatcher"):
            upload(mill, f"{folder}/during", UPLOADS)
    for part in ("before", "during"):
        recorded(mill, f"{folder}/{part}")


def test_a_storage_that_refuses_costs_no_result(mill: Cloud, folder: str) -> None:
    """A worker goes through 429, 503, cut connections and lost answers; no file is blamed for that."""
    upload(mill, folder)
    recorded(mill, folder)
    rules = [
        {"fault": "error", "status": 503, "probability": 0.5, "match": folder.rsplit("/", 1)[-1], "count": 10},
        {"fault": "error", "status": 429, "retry_after_seconds": 1, "probability": 0.2, "count": 10},
        {"fault": "cut_download", "after_bytes": 10_000, "match": "alt=media", "count": 4},
        {"fault": "lose_answer", "match": "^POST /upload", "count": 4},
    ]
    with counted(faults(mill, "gcs"), *rules):
        start_workers(mill)
        check_results(mill, folder)
    assert {j.failures for j in jobs(mill, folder)} == {0}


def test_a_pubsub_that_refuses_costs_no_result(mill: Cloud, folder: str) -> None:
    """Pulls, acknowledgements and deadlines fail half of the time, messages come twice, acknowledgements get lost."""
    upload(mill, folder)
    recorded(mill, folder)
    rules = [
        {"fault": "error", "code": "UNAVAILABLE", "probability": 0.5, "match": "^Pull"},
        {"fault": "error", "code": "RESOURCE_EXHAUSTED", "probability": 0.5, "match": "^Acknowledge .*jobs$"},
        {"fault": "duplicate", "match": "jobs$", "delay_seconds": 0.1},
        {"fault": "lose_ack", "match": "jobs$", "probability": 0.5},
    ]
    with mill.engine.begin() as connection:  # announced anew, so that there is something to deliver twice
        connection.execute(text("UPDATE jobs SET published_at = NULL"))
    control = faults(mill, "pubsub")
    control.put(rules)
    mill.tick()
    start_workers(mill)
    check_results(mill, folder)
    assert {j.failures for j in jobs(mill, folder)} == {0}
    injected = control.injected()
    assert injected["duplicate"] > 0
    assert injected["error"] > 0


def test_a_pubsub_that_refuses_all_is_not_asked_in_a_loop(mill: Cloud, folder: str) -> None:
    """A worker whose every pull is refused asks a few times a second at most, and goes on when it is over."""
    upload(mill, folder, 1)
    recorded(mill, folder, 1)
    control = faults(mill, "pubsub")
    with counted(control, {"fault": "error", "match": "^Pull"}):
        start_workers(mill)
        wait_for(lambda: control.get()["rules"][0]["seen"] >= 5, 120, "the worker asks again")
    check_results(mill, folder, 1)
