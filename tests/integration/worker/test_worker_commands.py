"""The commands beside the worker: telling the database about pipelines, and submitting from a shell."""

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from spotmill.pipeline import Pipeline
from tests.agents import PIPELINES, PROJECT, RESULTS, UPLOADS, Lab, Servers
from worker.registry import sync


def spotmill(
    servers: Servers, database_url: str, *arguments: object, **more: str | None
) -> "subprocess.CompletedProcess[str]":
    """Run the command with the environment of a shell that has read ``local.env``."""
    environment: dict[str, str | None] = {
        **os.environ,
        "DATABASE_URL": database_url,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "PUBSUB_EMULATOR_HOST": servers.pubsub_host,
        "STORAGE_EMULATOR_HOST": servers.storage_url,
        "SPOTMILL_UPLOAD_BUCKET": UPLOADS,
        "SPOTMILL_RESULT_BUCKET": RESULTS,
        "PYTHONPATH": str(PIPELINES),
    }
    return subprocess.run(
        [sys.executable, "-m", "spotmill", *map(str, arguments)],
        env={name: value for name, value in (environment | more).items() if value is not None},
        check=False,
        capture_output=True,
        text=True,
    )


def known(engine: Engine) -> dict[str, tuple[str, list[str]]]:
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT name, version, accepts FROM pipelines"))
        return {row.name: (row.version, row.accepts) for row in rows}


def test_sync(engine: Engine) -> None:
    """The table says what is installed now: new, changed and vanished pipelines, however often it is filled."""
    one, two = Pipeline("one", ("a/*", "b/c"), print), Pipeline("two", (), print)
    for installed in ([one, two], [one, two], [Pipeline("two", ("x/y",), print, version="2")]):
        with engine.begin() as connection:
            sync(connection, installed)
        assert known(engine) == {p.name: (p.version, list(p.accepts)) for p in installed}


def test_pipelines_command(engine: Engine, database_url: str, servers: Servers) -> None:
    """``spotmill pipelines list`` prints what ``sync`` writes, and one broken package does not keep the rest out."""
    listed = spotmill(servers, database_url, "pipelines", "list")
    assert listed.returncode == 0, listed.stderr
    assert "image\t" in listed.stdout
    assert "trial-missing: " in listed.stderr
    synced = spotmill(servers, database_url, "pipelines", "sync")
    assert synced.returncode == 0, synced.stderr
    assert {"image", "trial-noop"} <= set(known(engine))
    assert "trial-missing" not in known(engine)


def test_submit_refuses_what_is_no_upload(database_url: str, servers: Servers) -> None:
    """An object that the dispatcher would ignore is refused, with the reason."""
    done = spotmill(servers, database_url, "submit", "gs://media/film.mp4.part")
    assert done.returncode == 1
    assert "the name of a folder or of an unfinished file" in done.stderr


def test_submit_files(lab: Lab, database_url: str, servers: Servers, tmp_path: Path) -> None:
    """Files are uploaded under the name that the web gives uploads, with owner, pipeline and settings."""
    file = tmp_path / "Grüße aus Köln.png"
    file.write_bytes(b"not really")
    done = spotmill(
        servers, database_url,
        *("submit", file, "--owner", "ann@example.com", "--pipeline", "image", "--setting", "webp_quality=80"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    name = done.stdout.split(f"gs://{UPLOADS}/")[1].strip()
    blob = lab.uploads.get_blob(name)
    assert blob is not None
    assert name.endswith("/Grüße aus Köln.png")
    assert blob.content_type == "image/png"
    assert blob.metadata == {"owner": "ann@example.com", "pipeline": "image", "settings": '{"webp_quality": 80}'}


def test_submit_objects(lab: Lab, database_url: str, servers: Servers) -> None:
    """Objects that exist are announced on the ingest topic, others are refused."""
    name = f"ingest-{uuid.uuid4().hex[:8]}"
    topic, subscription = f"projects/{PROJECT}/topics/{name}", f"projects/{PROJECT}/subscriptions/{name}"
    lab.publisher.create_topic(name=topic)
    lab.subscriber.create_subscription(name=subscription, topic=topic)
    uri = f"gs://{UPLOADS}/{name}/song.flac"
    submit = ("submit", uri, "--setting", "depth=high", "--pipeline", "not-on-this-machine")
    refused = spotmill(servers, database_url, *submit, SPOTMILL_INGEST_TOPIC=name)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"there is no object {uri}" in refused.stderr
    lab.storage.bucket(UPLOADS).blob(f"{name}/song.flac").upload_from_string(b"fLaC")
    done = spotmill(servers, database_url, *submit, SPOTMILL_INGEST_TOPIC=name)
    assert done.returncode == 0, done.stderr
    (message,) = lab.subscriber.pull(subscription=subscription, max_messages=2).received_messages
    assert json.loads(message.message.data) == {
        "uri": uri,
        "pipeline": "not-on-this-machine",
        "settings": {"depth": "high"},
    }


def test_submit_refuses_settings_of_an_object(lab: Lab, database_url: str, servers: Servers) -> None:
    """The type that an object was stored with names the pipeline; unfit settings are told before it is announced."""
    name = f"{uuid.uuid4().hex}/photo"
    lab.storage.bucket(UPLOADS).blob(name).upload_from_string(b"not really", content_type="image/png")
    done = spotmill(servers, database_url, "submit", f"gs://{UPLOADS}/{name}", "--setting", "webp_effort=9")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"gs://{UPLOADS}/{name}: the settings do not fit the image pipeline: webp_effort: 9 is not" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--setting", "webp_quality=high"], "webp_quality: 'high' is not a whole number from 1 to 100."),
        (["--setting", "nonsense=1"], "nonsense: no such setting. There are: max_pixels, webp_quality, webp_effort."),
        (["--pipeline", "trial-count", "--setting", "count=[1]"], "count: [1] is not a whole number."),
        (["--pipeline", "elsewhere", "--setting", f"a={7000 * 'x'}"], "7000 at most"),
    ],
)
def test_submit_refuses_settings_of_a_file(
    lab: Lab, database_url: str, tmp_path: Path, arguments: list[str], said: str
) -> None:
    """Settings that cannot be right are told before anything is uploaded."""
    file = tmp_path / f"{uuid.uuid4().hex}.png"
    file.write_bytes(b"not really")
    done = spotmill(lab.servers, database_url, "submit", file, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert not [blob for blob in lab.uploads.list_blobs() if blob.name.endswith(file.name)]


def test_submit_needs_no_worker(lab: Lab, database_url: str, servers: Servers, tmp_path: Path) -> None:
    """Where jsonschema is not installed, settings go along unchecked."""
    (tmp_path / "jsonschema.py").write_text("raise ImportError('not installed')")
    file = tmp_path / "plain.png"
    file.write_bytes(b"not really")
    done = spotmill(
        servers, database_url, "submit", file, "--setting", "webp_quality=high",
        PYTHONPATH=os.pathsep.join((str(tmp_path), str(PIPELINES))),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    blob = lab.uploads.get_blob(done.stdout.split(f"gs://{UPLOADS}/")[1].strip())
    assert blob is not None
    assert blob.metadata == {"settings": '{"webp_quality": "high"}'}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["gs://X/y"], "'gs://X/y' names no valid bucket"),
        (["/no/such/file"], "/no/such/file is no file"),
        (["gs://media/x", "--setting", "depth"], "'depth' is not NAME=VALUE"),
    ],
)
def test_submit_refuses(database_url: str, servers: Servers, arguments: list[str], said: str) -> None:
    """What cannot be submitted is named before anything is sent."""
    done = spotmill(servers, database_url, "submit", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("command", [["worker"], ["submit", "gs://media/x"], ["pipelines", "sync"]])
def test_missing_settings(database_url: str, servers: Servers, command: list[str]) -> None:
    """A missing setting is named by its variable; nothing half-starts."""
    done = spotmill(servers, database_url, *command, GOOGLE_CLOUD_PROJECT=None)
    assert done.returncode == 1
    assert "GOOGLE_CLOUD_PROJECT: Field required" in done.stderr
    assert "Traceback" not in done.stderr
