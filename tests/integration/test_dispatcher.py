"""From an object or a message to a job: exactly one, whatever comes twice, late, wrong or out of order."""

import base64
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from google.pubsub_v1 import PubsubMessage
from sqlalchemy import text

from eventarc.contract import SampleEvent, read_sample
from local.programs import JOBS
from local.scheduler.schedule import CronJob
from shared import lifecycle
from shared.jobs import NewJob
from tests.cloud import Cloud, wait_for
from tests.photos import photographs


@pytest.fixture
def name() -> str:
    """An object name of this test alone."""
    return f"20251203T15Z/{uuid.uuid4()}/photo.jpg"


@pytest.fixture(autouse=True)
def pipelines(cloud: Cloud) -> Iterator[None]:
    """There is an image pipeline, whatever else the worker brings."""
    with cloud.engine.begin() as connection:
        connection.execute(
            text("""INSERT INTO pipelines (name, version, accepts, settings_schema) VALUES ('image', '1', '{image/*}',
                    '{"type": "object", "properties": {"quality": {"type": "integer"}}, "additionalProperties": false}')
                    ON CONFLICT (name) DO NOTHING""")
        )
    yield
    with cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs"))


def jobs(cloud: Cloud, name: str) -> list[Any]:
    """The jobs of an object, the oldest generation first."""
    with cloud.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT * FROM jobs WHERE object = :name ORDER BY generation, pipeline"), {"name": name}
        )
        return list(rows)


def upload(
    cloud: Cloud, name: str, content_type: str = "image/jpeg", body: bytes = b"not really a photograph", **metadata: str
) -> int:
    blob = cloud.uploads.blob(name)
    blob.metadata = metadata or None
    blob.upload_from_string(body, content_type=content_type)
    return int(blob.generation)


def ingest(cloud: Cloud, data: dict[str, Any], **attributes: str) -> None:
    topic = cloud.topic(cloud.settings.ingest_topic)
    message = PubsubMessage(data=json.dumps(data).encode(), attributes=attributes)
    cloud.publisher.publish(topic=topic, messages=[message])


def finalized(
    cloud: Cloud, name: str, generation: int, bucket: str | None = None, content_type: str = "image/jpeg"
) -> SampleEvent:
    """The event that Cloud Storage would send for an object."""
    sample = read_sample("storage-finalized")
    bucket = bucket or cloud.settings.upload_bucket
    body = sample.body | {"bucket": bucket, "name": name, "generation": str(generation), "metadata": {}}
    body["contentType"] = content_type
    return SampleEvent(sample.headers | {"ce-subject": f"objects/{name}", "ce-bucket": bucket}, body)


def post(cloud: Cloud, event: SampleEvent) -> int:
    """Deliver an event to the dispatcher; return its answer's status."""
    url = cloud.environment["SPOTMILL_DISPATCHER_URL"]
    return requests.post(url, data=json.dumps(event.body), headers=event.headers, timeout=30).status_code


def test_an_upload_becomes_a_published_job(cloud: Cloud, name: str) -> None:
    """A written object appears as a queued job with its owner, size and checksum, and a message is out."""
    generation = upload(cloud, name, owner="Ann@example.com")
    [job] = wait_for(lambda: [j for j in jobs(cloud, name) if j.published_at])
    assert (job.generation, job.pipeline, job.owner, job.status) == (generation, "image", "ann@example.com", "queued")
    assert (job.size_bytes, job.content_type) == (23, "image/jpeg")
    assert job.crc32c == cloud.uploads.get_blob(name).crc32c


def test_a_file_that_nobody_names_is_known_by_its_first_bytes(cloud: Cloud, name: str) -> None:
    """A photograph without an ending and without a type becomes an image's job, however often it is announced."""
    name = name.removesuffix(".jpg")
    photograph = next(path for path in photographs() if path.suffix == ".jpg").read_bytes()
    generation = upload(cloud, name, "application/octet-stream", photograph)
    wait_for(lambda: jobs(cloud, name))
    for _ in range(3):
        assert post(cloud, finalized(cloud, name, generation, content_type="application/octet-stream")) == 200
    [job] = jobs(cloud, name)
    assert (job.pipeline, job.content_type, job.status) == ("image", "image/jpeg", "queued")


@pytest.mark.parametrize(
    ("body", "said"), [(b"\x8f\x02 nothing known", "Choose a pipeline for it."), (b"", "The file is empty.")]
)
def test_a_file_that_tells_nothing_fails_with_a_reason(cloud: Cloud, name: str, body: bytes, said: str) -> None:
    """It costs no VM."""
    name = name.removesuffix(".jpg")
    upload(cloud, name, "application/octet-stream", body)
    [job] = wait_for(lambda: jobs(cloud, name))
    assert job.status == "failed"
    assert job.error.endswith(said)


def test_everything_that_announces_one_generation_makes_one_job(cloud: Cloud, name: str) -> None:
    """Fifty events at once, fifty ingest messages and a notification for one generation leave one job."""
    generation = upload(cloud, name)
    event = finalized(cloud, name, generation)
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: post(cloud, event), range(50))) == {200}
    for _ in range(50):
        ingest(cloud, {"uri": f"gs://{cloud.settings.upload_bucket}/{name}", "generation": generation})
    ingest(cloud, event.body, payloadFormat="JSON_API_V1", eventType="OBJECT_FINALIZE")
    last = f"{name}.last.jpg"
    upload(cloud, last)
    ingest(cloud, {"uri": f"gs://{cloud.settings.upload_bucket}/{last}"})
    wait_for(lambda: jobs(cloud, last))
    assert len(jobs(cloud, name)) == 1


def test_overwriting_a_queued_object_supersedes_its_job(cloud: Cloud, name: str) -> None:
    """The old generation is superseded and the new one waits."""
    old = upload(cloud, name)
    wait_for(lambda: jobs(cloud, name))
    new = upload(cloud, name)
    wait_for(lambda: len(jobs(cloud, name)) == 2)
    assert [(j.generation, j.status) for j in jobs(cloud, name)] == [(old, "superseded"), (new, "queued")]


def test_deleting_a_queued_object_supersedes_its_job(cloud: Cloud, name: str) -> None:
    """Nobody processes what is no longer there."""
    upload(cloud, name)
    wait_for(lambda: jobs(cloud, name))
    cloud.uploads.delete_blob(name)
    wait_for(lambda: jobs(cloud, name)[0].status == "superseded")


def test_a_deletion_that_comes_before_its_announcement_leaves_nothing_queued(cloud: Cloud, name: str) -> None:
    """Events overtake each other: the job is superseded in whichever order, and one that is over stays as it is."""
    sample = read_sample("storage-deleted")
    created = finalized(cloud, name, 7)
    deleted = SampleEvent(sample.headers | {"ce-subject": f"objects/{name}"}, created.body)
    for event in (deleted, created, deleted):
        assert post(cloud, event) == 200
        assert [(j.generation, j.pipeline, j.status) for j in jobs(cloud, name)] == [(7, "image", "superseded")]
    with cloud.engine.begin() as connection:  # it was processed once, by a pipeline that is called otherwise now
        connection.execute(
            text("UPDATE jobs SET status = 'succeeded', pipeline = 'old' WHERE object = :n"), {"n": name}
        )
    assert post(cloud, deleted) == 200
    assert [(j.generation, j.pipeline, j.status) for j in jobs(cloud, name)] == [(7, "old", "succeeded")]


def test_the_daily_tick_records_what_no_event_announced(cloud: Cloud, name: str) -> None:
    """What the scheduler publishes each day, sent through the trigger, brings back a job that nobody told of."""
    [daily] = [CronJob.parse(f"{job}={when}:t:{body}") for job, when, body in JOBS if job == "reconcile"]
    noon = datetime(2025, 12, 3, 12, tzinfo=UTC)
    assert daily.after(daily.after(noon)) - daily.after(noon) == timedelta(days=1)
    upload(cloud, name)
    wait_for(lambda: [job for job in jobs(cloud, name) if job.published_at])
    with cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM jobs WHERE object = :name"), {"name": name})
    message = PubsubMessage(data=daily.message(datetime.now(UTC)))
    cloud.publisher.publish(topic=cloud.topic("spotmill-tick"), messages=[message])
    [job] = wait_for(lambda: [job for job in jobs(cloud, name) if job.published_at])
    assert job.status == "queued"


def test_an_ingest_message_may_choose_pipeline_owner_and_settings(cloud: Cloud, name: str) -> None:
    """What the message says counts, not the object's metadata."""
    upload(cloud, name, content_type="application/zip", owner="ann@example.com")
    uri = f"gs://{cloud.settings.upload_bucket}/{name}"
    ingest(cloud, {"uri": uri, "pipeline": "image", "owner": "bob@example.com"})
    job = wait_for(lambda: [j for j in jobs(cloud, name) if j.pipeline == "image"])[0]
    assert job.owner == "bob@example.com"


def test_what_nothing_can_process_is_recorded_with_the_reason(cloud: Cloud, name: str) -> None:
    """A text file, an unknown pipeline and wrong settings each become a failed job that says why."""
    upload(cloud, f"{name}.txt", content_type="text/plain")
    upload(cloud, f"{name}.1.jpg", pipeline="unheard-of")
    upload(cloud, f"{name}.2.jpg", settings='{"surprise": 1}')
    for suffix, reason in ((".txt", "text/plain"), (".1.jpg", "unheard-of"), (".2.jpg", "settings")):
        [job] = wait_for(lambda suffix=suffix: jobs(cloud, f"{name}{suffix}"))  # type: ignore[misc]
        assert job.status == "failed"
        assert reason in job.error


def test_no_job_for_folders_unfinished_files_and_results(cloud: Cloud, name: str) -> None:
    """Folder markers, transfer tools' temporary names and the result bucket make no jobs."""
    result_bucket = cloud.settings.result_bucket
    assert post(cloud, finalized(cloud, "folder/", 1)) == 200
    partial = f"incoming/{uuid.uuid4()}.jpg.part"
    assert post(cloud, finalized(cloud, partial, 1)) == 200
    assert post(cloud, finalized(cloud, name, 1, bucket=result_bucket)) == 200
    assert not jobs(cloud, "folder/")
    assert not jobs(cloud, partial)
    assert not jobs(cloud, name)


@pytest.mark.parametrize(
    "message",
    [
        {"uri": "http://nowhere/"},
        {"uri": "gs://somebody-elses/file.jpg"},
        {"uri": "gs://spotmill-uploads/never/existed.jpg"},
        {},
    ],
)
def test_malformed_messages_are_logged_and_not_repeated(cloud: Cloud, message: dict[str, Any]) -> None:
    """A message that no retry would mend is answered 200 and leaves a warning."""
    sample = read_sample("pubsub-ingest")
    source = f"//pubsub.googleapis.com/{cloud.topic(cloud.settings.ingest_topic)}"
    event_id = uuid.uuid4().hex
    data = base64.b64encode(json.dumps(message).encode()).decode()
    body = sample.body | {"message": sample.body["message"] | {"data": data, "attributes": {}}}
    assert post(cloud, SampleEvent(sample.headers | {"ce-source": source, "ce-id": event_id}, body)) == 200
    wait_for(lambda: event_id in cloud.log("dispatcher"))


def test_what_is_no_event_of_ours_is_answered_and_logged(cloud: Cloud) -> None:
    """An unknown type, an unknown topic and a body without an object do not come back for a day."""
    sample = read_sample("storage-finalized")
    assert post(cloud, SampleEvent(sample.headers | {"ce-type": "com.example.other"}, sample.body)) == 200
    assert post(cloud, SampleEvent(sample.headers, {"surprise": True})) == 200
    tick = read_sample("pubsub-tick")
    source = {"ce-source": "//pubsub.googleapis.com/projects/p/topics/unheard-of"}
    assert post(cloud, SampleEvent(tick.headers | source, tick.body)) == 200


def test_what_came_through_our_own_doors_is_whole(cloud: Cloud, name: str) -> None:
    """A person's file becomes a job even if its name ends as transfer tools call their leftovers."""
    upload(cloud, name.replace("photo.jpg", "holiday.tmp"))
    wait_for(lambda: jobs(cloud, name.replace("photo.jpg", "holiday.tmp")))


def test_a_quota_that_keeps_vms_from_starting_is_shown(cloud: Cloud) -> None:
    """A run that asks for more VMs than the project may have says so in the group's own words."""
    waits = NewJob(cloud.settings.upload_bucket, "quota/later.jpg", 1, "image", 1, "image/jpeg")
    with cloud.engine.begin() as connection:
        connection.execute(text("INSERT INTO runs (started_by, workers) VALUES ('ann', 1)"))
        [job] = lifecycle.record(connection, [waits])  # without a job that waits, the run would be over
        connection.execute(text("UPDATE jobs SET not_before = now() + interval '1 day' WHERE id = :id"), {"id": job.id})
    names = {
        "project": cloud.settings.project,
        "region": cloud.settings.region,
        "instance_group_manager": cloud.settings.instance_group,
    }
    cloud.groups.resize(**names, size=3)  # type: ignore[arg-type]  # more than the local cloud has room for
    try:

        def told() -> str | None:
            cloud.tick()
            with cloud.engine.connect() as connection:
                problem: str | None = connection.execute(
                    text("SELECT problem FROM runs WHERE ended_at IS NULL")
                ).scalar_one()
            return problem

        assert "QUOTA" in wait_for(told, 30)
    finally:
        with cloud.engine.begin() as connection:
            connection.execute(text("DELETE FROM runs WHERE ended_at IS NULL"))
            lifecycle.cancel(connection, [job.id], reason="The test is over.")
        cloud.groups.resize(**names, size=0)  # type: ignore[arg-type]
        wait_for(lambda: not list(cloud.groups.list_managed_instances(**names)), 60)  # type: ignore[arg-type]
