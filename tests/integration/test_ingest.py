"""Other systems name objects: each is taken or refused by itself, once, and whoever waits for it is told."""

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from google.cloud.storage import Bucket
from google.pubsub_v1 import PubsubMessage
from sqlalchemy import text

from local.faults.control import FaultControl
from tests.cloud import Cloud, running, wait_for

PARTNER = "partner-bucket"
BURST = 10_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that takes objects of a partner's bucket, too; nothing announces those by itself."""
    data_dir = tmp_path_factory.mktemp("ingest") / "data"
    with running(data_dir, "--port", "0", environment={"SPOTMILL_ALLOWED_BUCKETS": PARTNER}) as cloud:
        cloud.storage.create_bucket(PARTNER)
        with cloud.engine.begin() as connection:
            connection.execute(
                text("""INSERT INTO pipelines (name, version, accepts, settings_schema)
                        VALUES ('image', '1', '{image/*}', '{}') ON CONFLICT (name) DO NOTHING""")
            )
        yield cloud


@pytest.fixture
def mill(server: Cloud) -> Iterator[Cloud]:
    yield server
    FaultControl.of(server.environment, "gcs").clear()


@pytest.fixture
def folder() -> str:
    """A prefix of this test alone."""
    return uuid.uuid4().hex


def partner(mill: Cloud) -> Bucket:
    return mill.storage.bucket(PARTNER)


def put(mill: Cloud, *names: str) -> list[str]:
    """Write objects into the partner's bucket; return their URIs."""
    for name in names:
        partner(mill).blob(name).upload_from_string(b"not really a photograph", content_type="image/jpeg")
    return [f"gs://{PARTNER}/{name}" for name in names]


def announce(mill: Cloud, *messages: dict[str, Any]) -> None:
    """Publish ingest messages, as many at once as Pub/Sub takes."""
    encoded = [PubsubMessage(data=json.dumps(message).encode()) for message in messages]
    for start in range(0, len(encoded), 1000):
        mill.publisher.publish(topic=mill.topic(mill.settings.ingest_topic), messages=encoded[start : start + 1000])


def jobs(mill: Cloud, folder: str) -> dict[str, Any]:
    """The jobs of a folder, by the rest of their names; each object has one."""
    statement = text("SELECT * FROM jobs WHERE object LIKE :folder ORDER BY object")
    with mill.engine.connect() as connection:
        rows = list(connection.execute(statement, {"folder": f"{folder}/%"}))
    found = {row.object.removeprefix(f"{folder}/"): row for row in rows}
    assert len(found) == len(rows), "an object has two jobs"
    return found


def waited(mill: Cloud, folder: str, names: Sequence[str]) -> dict[str, Any]:
    return wait_for(lambda: found if (found := jobs(mill, folder)).keys() >= set(names) else None, 60)


def test_the_good_ones_of_a_batch_are_recorded_and_the_bad_ones_are_told(mill: Cloud, folder: str) -> None:
    """Wrong URIs and foreign buckets are logged; an object that is not there is a failed job; the message is done."""
    good = put(mill, f"{folder}/1.jpg", f"{folder}/2.jpg")
    bad = ["", "nonsense", f"http://{folder}", f"gs://{PARTNER}", f"gs://somebody-elses/{folder}.jpg"]
    announce(mill, {"uris": [good[0], *bad, f"gs://{PARTNER}/{folder}/gone.jpg", good[1], good[1]], "owner": "a@b.c"})

    found = waited(mill, folder, ["1.jpg", "2.jpg", "gone.jpg"])

    assert {name: job.status for name, job in found.items()} == {
        "1.jpg": "queued",
        "2.jpg": "queued",
        "gone.jpg": "failed",
    }
    assert found["gone.jpg"].error == f"There is no object gs://{PARTNER}/{folder}/gone.jpg."
    assert {job.owner for job in found.values()} == {"a@b.c"}
    log = wait_for(lambda: said if '"refused": 6' in (said := mill.log("dispatcher")) else None)
    assert "bucket somebody-elses is not among SPOTMILL_ALLOWED_BUCKETS" in log
    assert f"'http://{folder}' does not start with gs://" in log


def test_what_postgres_cannot_hold_costs_no_other(mill: Cloud, folder: str) -> None:
    """Settings, owners and names that no database can hold are told; the other objects get their jobs."""
    [good] = put(mill, f"{folder}/good.jpg")
    for name, settings in (("nul.jpg", '{"a": "\\u0000"}'), ("huge.jpg", '{"a": 1e999}'), ("deep.jpg", "[" * 2000)):
        blob = partner(mill).blob(f"{folder}/{name}")
        blob.metadata = {"settings": settings, "owner": "a\0@b.c"}
        blob.upload_from_string(b"bytes", content_type="image/jpeg")
    uris = [f"gs://{PARTNER}/{folder}/{name}" for name in ("nul.jpg", "huge.jpg", "deep.jpg", "a\0b", f"c#{2**63}")]
    announce(mill, {"uris": [*uris, good]})
    found = waited(mill, folder, ["nul.jpg", "huge.jpg", "deep.jpg", "good.jpg"])
    assert {name: job.status for name, job in found.items() if name != "good.jpg"} == dict.fromkeys(
        ("nul.jpg", "huge.jpg", "deep.jpg"), "failed"
    )
    assert (found["good.jpg"].status, found["good.jpg"].owner) == ("queued", None)
    assert "a number that is too large" in found["huge.jpg"].error
    assert found["nul.jpg"].owner == "a@b.c"
    announce(mill, {"uri": good, "settings": {"a": "\0"}})  # is recorded already, whatever is said of it now
    announce(mill, {"uri": f"gs://{PARTNER}/{folder}/a\0b"}, {"uri": good, "generation": 2**63})
    wait_for(lambda: mill.log("dispatcher").count('"event.malformed"') >= 2, what="both are refused for good")


def test_an_object_that_may_not_be_read_says_so(mill: Cloud, folder: str) -> None:
    """The job fails with what to do about it; announced again when it may be read, the object gets its own job."""
    [uri] = put(mill, f"{folder}/1.jpg")
    faults = FaultControl.of(mill.environment, "gcs")
    faults.put([{"fault": "error", "status": 403, "match": f"GET /storage/v1/b/{PARTNER}/o/{folder}"}])
    announce(mill, {"uri": uri})
    refused = waited(mill, folder, ["1.jpg"])["1.jpg"]
    faults.clear()
    announce(mill, {"uri": uri})

    def taken() -> list[Any]:
        with mill.engine.connect() as connection:
            statement = text("SELECT * FROM jobs WHERE object = :name AND status = 'queued'")
            return list(connection.execute(statement, {"name": f"{folder}/1.jpg"}))

    assert (refused.status, refused.generation) == ("failed", 0)
    assert "may not read" in refused.error
    assert "Storage Object Viewer" in refused.error
    assert wait_for(taken)[0].generation == partner(mill).get_blob(f"{folder}/1.jpg").generation


@pytest.mark.parametrize("named", ["with its generation", "by its name alone"])
def test_a_message_that_comes_again_after_the_file_is_deleted_is_no_failure(
    mill: Cloud, folder: str, named: str
) -> None:
    """What was taken in has its job; that its announcement is repeated later means nothing."""
    [uri] = put(mill, f"{folder}/1.jpg")
    blob = partner(mill).get_blob(f"{folder}/1.jpg")
    message = {"uri": uri} | ({"generation": blob.generation} if named == "with its generation" else {})
    announce(mill, message)
    waited(mill, folder, ["1.jpg"])
    blob.delete()
    announce(mill, message)
    wait_for(lambda: any("ingest.repeated" in line and folder in line for line in mill.log("dispatcher").splitlines()))
    assert jobs(mill, folder)["1.jpg"].generation == blob.generation


def test_a_generation_that_is_gone_supersedes_nothing(mill: Cloud, folder: str) -> None:
    """A wrong generation in a message is told, and leaves the waiting job of the object alone."""
    [uri] = put(mill, f"{folder}/1.jpg")
    announce(mill, {"uri": uri})
    job = waited(mill, folder, ["1.jpg"])["1.jpg"]
    announce(mill, {"uris": [f"{uri}#{job.generation + 1}"]})

    def both() -> dict[int, Any] | None:
        with mill.engine.connect() as connection:
            rows = connection.execute(text("SELECT * FROM jobs WHERE object = :name"), {"name": f"{folder}/1.jpg"})
            found = {row.generation: row for row in rows}
        return found if len(found) == 2 else None

    found = wait_for(both)
    assert found[job.generation].status == "queued"
    assert f"in generation {job.generation + 1}" in found[0].error


def test_one_object_that_storage_cannot_tell_of_does_not_hold_back_the_others(mill: Cloud, folder: str) -> None:
    """The others are recorded at once; the message comes again until the last one is, too, and doubles none."""
    uris = put(mill, *(f"{folder}/{n}.jpg" for n in range(5)))
    faults = FaultControl.of(mill.environment, "gcs")
    faults.put([{"fault": "error", "status": 503, "match": f"GET /storage/v1/b/{PARTNER}/o/{folder}%2F3.jpg"}])
    announce(mill, {"uris": uris})
    waited(mill, folder, ["0.jpg", "1.jpg", "2.jpg", "4.jpg"])
    assert "3.jpg" not in jobs(mill, folder)
    faults.clear()
    assert {job.status for job in waited(mill, folder, ["3.jpg"]).values()} == {"queued"}


@pytest.mark.timeout(900)
def test_a_burst_of_messages_is_recorded_exactly_once(mill: Cloud, folder: str) -> None:
    """10,000 messages at once, some of them twice and some wrong, become 10,000 published jobs."""
    put(mill, f"{folder}.jpg")
    source = partner(mill).blob(f"{folder}.jpg")
    for start in range(0, BURST, 100):
        with mill.storage.batch():
            for number in range(start, start + 100):
                partner(mill).copy_blob(source, partner(mill), f"{folder}/{number}.jpg")
    messages: list[dict[str, Any]] = [{"uri": f"gs://{PARTNER}/{folder}/{number}.jpg"} for number in range(BURST)]
    announce(mill, *messages, *messages[::100], *({"uri": f"gs://nobody/{folder}/{n}"} for n in range(100)))

    def published() -> int:
        statement = text("SELECT count(*) FROM jobs WHERE object LIKE :folder AND published_at IS NOT NULL")
        with mill.engine.connect() as connection:
            return int(connection.execute(statement, {"folder": f"{folder}/%"}).scalar_one())

    wait_for(lambda: published() == BURST, 800, "every message is recorded and published", pause_seconds=0.5)
    assert len(jobs(mill, folder)) == BURST
