"""Faults on request: each server fails as the plan says, counts it, and is well again when asked."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import google.cloud.storage.retry as storage_retry
import pytest
import requests
from click.testing import CliRunner
from google.api_core import exceptions
from google.cloud.storage import Blob

from local.faults.control import FaultControl, FaultsError, command
from tests.conformance.compute_cloud import GROUP, PROJECT, REGION, ComputeCloud, until
from tests.conformance.gcs_server import GcsServer
from tests.conformance.pubsub.pubsub_server import PubSubServer

NO_RETRY = {"retry": None, "timeout": 20}
DECISIONS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    with GcsServer(tmp_path_factory.mktemp("gcs")) as gcs:
        yield gcs


@pytest.fixture
def gcs(server: GcsServer) -> Iterator[GcsServer]:
    yield server
    FaultControl(server.url).clear()


@pytest.fixture
def blob(gcs: GcsServer) -> Blob:
    """An object of 600,000 bytes."""
    blob = gcs.bucket().blob("object")
    blob.upload_from_string(bytes(600_000), **NO_RETRY)
    return blob


def _answers(gcs: GcsServer, blob: Blob) -> list[int]:
    url = f"{gcs.url}/storage/v1/b/{blob.bucket.name}/o/{blob.name}"
    return [requests.get(url, timeout=20).status_code for _ in range(DECISIONS)]


def test_a_seed_gives_the_same_faults_again(gcs: GcsServer, blob: Blob) -> None:
    """The same seed and calls fail alike, another seed otherwise, and the probability is about what was asked."""
    control, rules = FaultControl(gcs.url), [{"fault": "error", "status": 429, "match": "GET", "probability": 0.5}]

    control.put(rules, seed=1)
    first = _answers(gcs, blob)
    control.put(rules, seed=1)
    again = _answers(gcs, blob)
    control.put(rules, seed=2)
    other = _answers(gcs, blob)

    assert first == again != other
    assert set(first) == {200, 429}
    assert first.count(429) in range(DECISIONS // 5, DECISIONS * 4 // 5)


def test_faults_are_counted_limited_and_ended(gcs: GcsServer, blob: Blob) -> None:
    """A rule begins after its skip, ends with its count, says what it saw, and the total outlives the plan."""
    control = FaultControl(gcs.url)
    before = control.injected().get("error", 0)
    control.put([{"fault": "error", "match": "GET", "skip": 2, "count": 3, "retry_after_seconds": 7}])

    answers = _answers(gcs, blob)

    assert answers == [200, 200, 503, 503, 503, *[200] * (DECISIONS - 5)]
    [rule] = control.get()["rules"]
    assert (rule["seen"], rule["injected"]) == (DECISIONS, 3)
    assert not control.clear()["active"]
    assert control.injected()["error"] == before + 3


def test_an_error_is_in_the_form_of_its_api_and_says_when_to_come_back(gcs: GcsServer, blob: Blob) -> None:
    """Both APIs refuse in their own words, with Retry-After."""
    FaultControl(gcs.url).put([{"fault": "error", "status": 429, "retry_after_seconds": 7}])

    json_answer = gcs.call("GET", f"/storage/v1/b/{blob.bucket.name}")
    xml_answer = gcs.call("GET", f"/{blob.bucket.name}/{blob.name}")

    assert (json_answer.status, json_answer.headers["Retry-After"]) == (429, "7")
    assert json_answer.json["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    assert (xml_answer.status, b"<Code>TooManyRequests</Code>" in xml_answer.body) == (429, True)


@pytest.mark.parametrize("fault", ["cut_download", "truncate"])
def test_a_download_that_breaks_off_is_resumed_by_the_client(gcs: GcsServer, blob: Blob, fault: str) -> None:
    """The content stops after so many bytes; the real client sees it and gets the rest."""
    FaultControl(gcs.url).put([{"fault": fault, "match": "GET .*alt=media", "after_bytes": 100_000, "count": 1}])

    assert blob.download_as_bytes(timeout=20) == bytes(600_000)
    assert FaultControl(gcs.url).get()["rules"][0]["injected"] == 1


def test_a_cut_upload_leaves_what_came_through(gcs: GcsServer) -> None:
    """The connection ends in the middle of a chunk; the session goes on from the bytes that were stored."""
    bucket = gcs.bucket()
    session = gcs.json_session(bucket, "name=object")
    FaultControl(gcs.url).put([{"fault": "cut_upload", "match": "PUT", "after_bytes": 300_000, "count": 1}])

    with pytest.raises(requests.ConnectionError):
        requests.put(session, bytes(600_000), headers={"Content-Range": "bytes 0-599999/600000"}, timeout=20)

    until(lambda: gcs.status(session, 600_000).headers["Range"] == "bytes=0-262143", "one quantum is stored")
    assert gcs.chunk(session, bytes(600_000 - 262_144), 262_144, 600_000).status == 200


def test_a_full_disk_refuses_the_rest(gcs: GcsServer) -> None:
    """The object is not made, and the client is told to come again."""
    bucket = gcs.bucket()
    FaultControl(gcs.url).put([{"fault": "disk_full", "match": "POST", "after_bytes": 1000}])

    with pytest.raises(exceptions.ServiceUnavailable):
        bucket.blob("object").upload_from_string(bytes(5000), **NO_RETRY)
    FaultControl(gcs.url).clear()

    assert list(bucket.list_blobs()) == []


def test_a_lost_answer_is_a_deed_done(gcs: GcsServer) -> None:
    """The object is there although its uploader never heard so: the retry meets its own precondition."""
    bucket = gcs.bucket()
    FaultControl(gcs.url).put([{"fault": "lose_answer", "match": "POST /upload", "count": 1}])

    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("object").upload_from_string(
            b"x", if_generation_match=0, timeout=20, retry=storage_retry.DEFAULT_RETRY
        )
    assert bucket.blob("object").exists()


def test_a_wrong_plan_is_refused_with_the_reason(gcs: GcsServer) -> None:
    """A plan that cannot be followed changes nothing and says what is wrong."""
    control = FaultControl(gcs.url)

    with pytest.raises(FaultsError, match="no fault 'earthquake' here, only cut_download"):
        control.put([{"fault": "earthquake"}])
    with pytest.raises(FaultsError, match="probability"):
        control.put([{"fault": "error", "probability": 2}])
    with pytest.raises(FaultsError, match="no regular expression"):
        control.put([{"fault": "error", "match": "("}])
    assert not control.get()["active"]


def test_the_command_gives_plans_and_shows_them(gcs: GcsServer, tmp_path: Path) -> None:
    """``spotmill local faults`` finds the server by local.env's variables."""
    plan = tmp_path / "plan.json"
    plan.write_text('{"seed": 3, "rules": [{"fault": "latency", "delay_seconds": 0.01}]}')
    environment = {"STORAGE_EMULATOR_HOST": gcs.url, "SPOTMILL_CABLE_URL": ""}

    given = CliRunner().invoke(command, ["gcs", str(plan)], env=environment)
    cleared = CliRunner().invoke(command, ["gcs", "--clear"], env=environment)
    absent = CliRunner().invoke(command, ["postgres"], env=environment)

    assert json.loads(given.output)["seed"] == 3
    assert json.loads(cleared.output)["active"] is False
    assert (absent.exit_code, "SPOTMILL_CABLE_URL is not set" in absent.output) == (1, True)


@pytest.fixture
def pubsub(tmp_path: Path) -> Iterator[PubSubServer]:
    server = PubSubServer(tmp_path / "pubsub", "--test-clock", "--pull-wait-seconds", "1")
    yield server
    server.close()


def _control(pubsub: PubSubServer) -> FaultControl:
    return FaultControl(pubsub.address)


def _backlog(pubsub: PubSubServer, *payloads: bytes) -> tuple[str, str]:
    topic = pubsub.topic()
    subscription = pubsub.subscription(topic)
    if payloads:
        pubsub.publish(topic, *payloads)
    return topic, subscription


@pytest.mark.parametrize(
    ("code", "error"),
    [("UNAVAILABLE", exceptions.ServiceUnavailable), ("RESOURCE_EXHAUSTED", exceptions.ResourceExhausted)],
)
def test_pubsub_calls_fail_with_the_code_asked_for(
    pubsub: PubSubServer, code: str, error: type[exceptions.GoogleAPICallError]
) -> None:
    """Pull, acknowledge and modify deadline are refused while the plan lasts."""
    _, subscription = _backlog(pubsub, b"x")
    received = pubsub.pull(subscription, 1)
    _control(pubsub).put([{"fault": "error", "code": code}])
    calls: list[Callable[[], object]] = [
        lambda: pubsub.subscriber.pull(
            request={"subscription": subscription, "max_messages": 1}, retry=None, timeout=20
        ),
        lambda: pubsub.subscriber.acknowledge(
            subscription=subscription, ack_ids=[received[0].ack_id], retry=None, timeout=20
        ),
        lambda: pubsub.subscriber.modify_ack_deadline(
            subscription=subscription, ack_ids=[received[0].ack_id], ack_deadline_seconds=30, retry=None, timeout=20
        ),
    ]

    for call in calls:
        with pytest.raises(error):
            call()

    assert _control(pubsub).injected() == {"error": 3}


def test_an_acknowledgement_may_be_lost(pubsub: PubSubServer) -> None:
    """A message whose acknowledgement was taken and forgotten comes again at its deadline."""
    _, subscription = _backlog(pubsub, b"x")
    _control(pubsub).put([{"fault": "lose_ack", "count": 1}])

    pubsub.ack(subscription, pubsub.pull(subscription, 1))
    pubsub.advance(11)
    again = pubsub.pull(subscription, 1)
    pubsub.ack(subscription, again)
    pubsub.advance(11)

    assert pubsub.empty(subscription)


def test_a_message_may_be_delivered_twice(pubsub: PubSubServer) -> None:
    """The second delivery comes while the first is still held, and the first's acknowledgement counts."""
    _, subscription = _backlog(pubsub, b"x")
    _control(pubsub).put([{"fault": "duplicate", "delay_seconds": 0}])

    [first] = pubsub.pull(subscription, 1)
    [second] = pubsub.pull(subscription, 1)
    pubsub.ack(subscription, [first])

    assert first.ack_id != second.ack_id
    assert first.message.message_id == second.message.message_id
    assert pubsub.empty(subscription)


def test_messages_may_be_late(pubsub: PubSubServer) -> None:
    """A message that is held back is there once its time has come."""
    topic, subscription = _backlog(pubsub)
    _control(pubsub).put([{"fault": "delay", "delay_seconds": 60}])

    pubsub.publish(topic, b"x")
    assert pubsub.empty(subscription)
    pubsub.advance(61)

    assert len(pubsub.pull(subscription, 1)) == 1


def test_messages_may_come_in_another_order(pubsub: PubSubServer) -> None:
    """All come, not in the order in which they were published."""
    topic, subscription = _backlog(pubsub)
    _control(pubsub).put([{"fault": "reorder", "delay_seconds": 60}], seed=1)
    payloads = [str(n).encode() for n in range(20)]

    pubsub.publish(topic, *payloads)
    pubsub.advance(61)
    got = [m.message.data for m in pubsub.pull(subscription, 20)]

    assert got != payloads
    assert sorted(got) == sorted(payloads)


def test_a_published_message_whose_answer_is_lost_comes_twice(pubsub: PubSubServer) -> None:
    """The client publishes again what the server had taken already."""
    topic, subscription = _backlog(pubsub)
    _control(pubsub).put([{"fault": "lose_answer", "match": "^Publish", "count": 1}])

    pubsub.publish(topic, b"x")

    assert [m.message.data for m in pubsub.pull(subscription, 2)] == [b"x", b"x"]


@pytest.fixture
def compute(tmp_path: Path) -> Iterator[ComputeCloud]:
    with ComputeCloud(tmp_path) as cloud:
        yield cloud


def test_a_zone_without_capacity_says_so_and_the_group_tries_again(compute: ComputeCloud) -> None:
    """Stockouts are listed as errors; when they end the machines come by themselves."""
    FaultControl(compute.url).put([{"fault": "stockout", "count": 3, "delay_seconds": 0.05}])

    compute.resize(2)
    members = compute.settled(2)
    errors = list(compute.managers.list_errors(**compute.group))

    assert len(members) == 2
    assert {e.error.code for e in errors} == {"ZONE_RESOURCE_POOL_EXHAUSTED"}


def test_operations_may_fail_or_take_their_time(compute: ComputeCloud) -> None:
    """A failed operation changes nothing; a slow one is RUNNING first and DONE when it has happened."""
    control = FaultControl(compute.url)
    control.put([{"fault": "failed_operation", "count": 1}, {"fault": "slow_operation", "delay_seconds": 0.1}])

    failed = compute.managers.resize_unary(**compute.group, size=1)
    slow = compute.managers.resize_unary(**compute.group, size=1)

    assert failed.error.errors[0].code == "QUOTA_EXCEEDED"
    assert (slow.status.name, compute.get().target_size) == ("RUNNING", 0)
    until(
        lambda: (
            compute.region_operations.get(project=PROJECT, region=REGION, operation=slow.name).status.name == "DONE"
        ),
        "the operation is done",
    )
    assert (compute.get().name, compute.get().target_size) == (GROUP, 1)


def test_compute_refuses_with_the_status_asked_for(compute: ComputeCloud) -> None:
    """503 and 429 arrive as the client's own exceptions."""
    FaultControl(compute.url).put([{"fault": "error", "count": 1}, {"fault": "error", "status": 429, "count": 1}])

    with pytest.raises(exceptions.ServiceUnavailable):
        compute.managers.get(**compute.group, retry=None)
    with pytest.raises(exceptions.TooManyRequests):
        compute.managers.get(**compute.group, retry=None)
    assert compute.get().target_size == 0


@pytest.fixture
def cable(gcs: GcsServer) -> Iterator[tuple[str, FaultControl]]:
    """A cable to the storage server: its URL and its faults."""
    arguments = [sys.executable, "-m", "spotmill", "local", "cable", "--to", f"127.0.0.1:{gcs.port}"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words = process.stdout.readline().replace(",", "").split()
        yield f"http://{words[2]}", FaultControl(words[-1])
        process.terminate()


def test_a_cable_can_be_pulled_slowed_and_cut(cable: tuple[str, FaultControl], gcs: GcsServer) -> None:
    """It passes on whatever it is given until it is told to refuse, to hang or to cut; then it works again."""
    url, control = cable
    page = f"{url}/_spotmill/health"
    assert requests.get(page, timeout=20).status_code == 200

    for rule in ({"fault": "refuse"}, {"fault": "cut", "match": "request"}, {"fault": "cut", "match": "answer"}):
        control.put([rule])
        with pytest.raises(requests.ConnectionError):
            requests.get(page, timeout=20)
    control.put([{"fault": "hang"}])
    with pytest.raises(requests.ReadTimeout):
        requests.get(page, timeout=0.3)
    control.put([{"fault": "latency", "delay_seconds": 0.01}])
    assert requests.get(page, timeout=20).status_code == 200

    assert control.injected() == {"refuse": 1, "cut": 2, "hang": 1, "latency": 2}
