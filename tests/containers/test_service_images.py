"""The images of web and dispatcher, started as Cloud Run starts them."""

import json
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import text

from eventarc.contract import read_sample
from tests.cloud import Cloud, wait_for
from tests.containers.engine import Image
from tests.containers.services import NO_DISK, START_SECONDS, ask, serving, told, web_service


def test_web_serves_pages(cloud: Cloud, web: Image, tmp_path: Path) -> None:
    """It answers probes under both names, serves the upload page with its files, and signs an upload that arrives."""
    with web_service(web, cloud, tmp_path) as (container, url):
        assert ask(f"{url}/health") == ask(f"{url}/healthz") == (200, b'{"status":"ok"}')
        assert ask(f"{url}/api/v1/health?deep=1")[0] == 200
        status, page = ask(f"{url}/upload")
        assert status == 200
        assert b"<h1" in page
        for file in ("/static/app.css", "/static/js/upload.js"):
            assert ask(f"{url}{file}")[0] == 200
        wish = json.dumps({"filename": "a.txt", "content_type": "text/plain", "size": 5}).encode()
        status, body = ask(f"{url}/api/v1/uploads", wish, {"Content-Type": "application/json", "Origin": url})
        permit = json.loads(body)
        assert status == 201, container.log()
        put = urllib.request.Request(permit["url"], b"hello", permit["headers"], method=permit["method"])
        with urllib.request.urlopen(put, timeout=30) as answer:
            assert answer.status == 200
        assert cloud.uploads.blob(permit["object"]).exists()


def test_web_reaches_the_fleet(cloud: Cloud, web: Image, tmp_path: Path) -> None:
    """The one client of Compute that the image carries is enough to read the instance group."""
    with web_service(web, cloud, tmp_path) as (container, url):

        def workers() -> Any:
            found = json.loads(ask(f"{url}/api/v1/queue")[1])["workers"]
            return found if found.get("target") is not None else None

        assert wait_for(workers, START_SECONDS, "the fleet's size is known")["target"] == 0
        assert not container.events("fleet.unreadable")


def test_web_names_what_is_wrong(web: Image) -> None:
    """With settings missing it runs and says so wherever it is asked: no deployment without them goes live."""
    with serving(web, {"GOOGLE_CLOUD_PROJECT": "p"}) as (container, url):
        status, body = ask(f"{url}/health")
        assert status == 503
        assert b"SPOTMILL_UPLOAD_BUCKET" in body
        assert container.events("settings.wrong")


def test_web_ends_when_it_is_told(cloud: Cloud, web: Image, tmp_path: Path) -> None:
    """SIGTERM ends it in good order, within the ten seconds of Cloud Run."""
    with web_service(web, cloud, tmp_path) as (container, _):
        assert container.stop(10) == 0


def test_dispatcher_makes_a_job_of_an_event(cloud: Cloud, dispatcher: Image) -> None:
    """An object's event, as Eventarc posts it, is answered with success and has become a job that waits."""
    bucket = cloud.storage.create_bucket(f"uploads-{uuid.uuid4()}")
    blob = bucket.blob("20261122T15Z/5b0c1c1e/beach.jpg")
    blob.upload_from_string(b"not looked at", content_type="image/jpeg")
    sample = read_sample("storage-finalized")
    resource = sample.body | {
        "name": blob.name,
        "bucket": bucket.name,
        "generation": str(blob.generation),
        "size": str(blob.size),
        "crc32c": blob.crc32c,
    }
    headers = sample.headers | {
        "ce-bucket": bucket.name,
        "ce-subject": f"objects/{blob.name}",
        "ce-source": f"//storage.googleapis.com/projects/_/buckets/{bucket.name}",
    }
    environment = told(cloud, "dispatcher") | {"SPOTMILL_UPLOAD_BUCKET": bucket.name}
    with serving(dispatcher, environment) as (container, url):
        assert ask(f"{url}/health") == (200, b'{"status":"ok"}')
        status, _ = ask(url, json.dumps(resource).encode(), headers)
        assert status in (200, 204), container.log()
        with cloud.engine.connect() as connection:
            rows = list(connection.execute(text("SELECT * FROM jobs WHERE bucket = :b"), {"b": bucket.name}))
        assert [(row.object, row.generation, row.pipeline) for row in rows] == [(blob.name, blob.generation, "image")]
        assert rows[0].published_at is not None
        assert container.stop(10) == 0


def test_dispatcher_ticks(cloud: Cloud, dispatcher: Image) -> None:
    """A tick runs whole in the image: queue, fleet, sweep."""
    with serving(dispatcher, told(cloud, "dispatcher")) as (container, url):
        sample = read_sample("pubsub-tick")
        with cloud.engine.connect() as connection:
            now = connection.execute(text("SELECT now()")).scalar_one()
        message = sample.body["message"] | {"publishTime": now.isoformat()}
        status, _ = ask(url, json.dumps(sample.body | {"message": message}).encode(), sample.headers)
        assert status in (200, 204), container.log()
        assert container.events("tick.done")
        assert not container.events("fleet.unreachable")


def test_dispatcher_ends_without_its_settings(dispatcher: Image) -> None:
    """With settings missing it ends at once and names them: a deployment without them never goes live."""
    with dispatcher.running(*NO_DISK, environment={"GOOGLE_CLOUD_PROJECT": "p", "HOST": "127.0.0.1"}) as container:
        assert container.wait() != 0
        assert "SPOTMILL_UPLOAD_BUCKET" in container.log()


def test_jobs_of_a_deployment_run(cloud: Cloud, dispatcher: Image, worker: Image) -> None:
    """The migration runs in the dispatcher's image, and the list of pipelines is written by the worker's."""
    owner = {name: cloud.environment[name] for name in ("DATABASE_URL", "GOOGLE_CLOUD_PROJECT")}
    assert "head" in dispatcher.result("--entrypoint", "spotmill", *NO_DISK, environment=owner, command=("migrate",))
    said = worker.result(*NO_DISK, environment=cloud.environment, command=("pipelines", "sync"))
    assert "pipelines: image" in said
