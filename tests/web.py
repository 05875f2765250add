"""The web service in this process on a running local cloud, and people who use it through a stand-in for IAP."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from services.web.app import create_app
from services.web.identity import ASSERTION_HEADER
from shared import lifecycle, runs
from shared.jobs import Backoff, Claim, Completion, Failure, NewArtifact, NewJob
from shared.models import StopMode
from shared.settings import WebSettings
from tests.cloud import Cloud, wait_for
from tests.iap import AUDIENCE, Iap

ADMIN = "admin@example.org"
PUBLIC_URL = "https://spotmill.example.org"
API = "/api/v1"


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in."""

    email: str
    client: FlaskClient
    iap: Iap

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **self._signed(options))

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.client.post(path, **self._signed(options))

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.client.put(path, **self._signed(options))

    def api(self, path: str, **options: Any) -> Any:
        """Get something that is there from the API."""
        answer = self.get(API + path, **options)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def names(self, query: str = "") -> list[str]:
        """File names of a listing."""
        return [job["filename"] for job in self.api(f"/jobs?{query}")["jobs"]]

    def _signed(self, options: dict[str, Any]) -> dict[str, Any]:
        headers = {ASSERTION_HEADER: self.iap.assertion(self.email), **options.pop("headers", {})}
        return options | {"headers": headers}


class Web:
    """The service with the web's own login to the database."""

    def __init__(self, cloud: Cloud, iap: Iap) -> None:
        self.cloud = cloud
        self.iap = iap
        self.app = self.make()

    def settings(self, **changes: Any) -> WebSettings:
        """Those that ``spotmill up`` gives its web service, but with IAP."""
        lines = (self.cloud.data_dir / "env" / "web.env").read_text(encoding="utf-8").splitlines()
        given = dict(line.split("=", 1) for line in lines)
        aliases = {"project": "GOOGLE_CLOUD_PROJECT", "database_url": "DATABASE_URL"}
        variables = {name: aliases.get(name, f"SPOTMILL_{name.upper()}") for name in WebSettings.model_fields}
        values = {name: given[variable] for name, variable in variables.items() if variable in given}
        signed_in = {"dev_user": None, "iap_audience": AUDIENCE, "iap_keys_url": self.iap.keys_url}
        return WebSettings.model_validate(values | signed_in | {"web_url": PUBLIC_URL, "admins": ADMIN} | changes)

    def make(self, **changes: Any) -> Flask:
        """Make the application, with some settings changed."""
        return create_app(self.settings(**changes))

    def person(self, email: str = "", app: Flask | None = None) -> Person:
        """Sign somebody in; without a name, somebody whom no other test knows."""
        client = (app or self.app).test_client()
        client.environ_base |= {"HTTP_HOST": "spotmill.example.org"}
        return Person(email or f"{uuid.uuid4().hex[:12]}@example.org", client, self.iap)

    def record(self, owner: str | None, *names: str, pipeline: str = "image") -> list[uuid.UUID]:
        """Queue a job for each file name, the oldest first; none is so much as announced to a worker."""
        ids = []
        for name in names:
            job = NewJob(
                "spotmill-uploads", f"20251203T15Z/{uuid.uuid4()}/{name}", 1, pipeline, 9, "image/jpeg", owner=owner
            )
            with self.cloud.engine.begin() as connection:
                ids += [recorded.id for recorded in lifecycle.record(connection, [job])]
                connection.execute(text("UPDATE jobs SET published_at = now() WHERE id = :id"), {"id": ids[-1]})
        return ids

    def claim(self, *jobs: uuid.UUID, worker: str = "vm-1/abcdefgh") -> list[Claim]:
        """Take jobs as a worker does."""
        with self.cloud.engine.begin() as connection:
            return lifecycle.claim(connection, jobs, worker=worker, lease_seconds=3600)

    def finish(self, job: uuid.UUID, artifacts: Sequence[NewArtifact] = ()) -> None:
        """Work through a job."""
        [claim] = self.claim(job)
        with self.cloud.engine.begin() as connection:
            assert lifecycle.commit(connection, [Completion(job, claim.attempt, {"width": 4}, artifacts)])

    def fail(self, job: uuid.UUID, reason: str) -> None:
        """Fail a job for good."""
        [claim] = self.claim(job)
        with self.cloud.engine.begin() as connection:
            lifecycle.fail(connection, [Failure(job, claim.attempt, reason, permanent=True)], Backoff())

    def result(self, kind: str, body: bytes, content_type: str, filename: str) -> NewArtifact:
        """Store a result file, about to be published."""
        blob = self.cloud.results.blob(f"{uuid.uuid4()}/1/{kind}/{filename}")
        blob.upload_from_string(body, content_type="application/octet-stream")
        return NewArtifact(
            kind, blob.bucket.name, blob.name, blob.generation, content_type, len(body), blob.crc32c, filename
        )

    def settle(self, table: str) -> None:
        """Forget all jobs and the rows of a table, and return when the run is over."""
        with self.cloud.engine.begin() as connection:
            connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - a name from a test
            connection.execute(text("DELETE FROM jobs"))
            runs.stop(connection, by="the test", mode=StopMode.NOW)

        def over() -> bool:
            self.cloud.tick()
            return self.person().api("/queue")["run"] is None

        wait_for(over, 60, "the run is over")

    def close(self) -> None:
        """Leave no job behind."""
        self.app.extensions["spotmill"].engine.dispose()
        self.forget()

    def forget(self) -> None:
        """Forget all jobs."""
        with self.cloud.engine.begin() as connection:
            connection.execute(text("DELETE FROM jobs"))


def web_on(cloud: Cloud, directory: Path) -> Web:
    """Serve a cloud."""
    return Web(cloud, Iap(directory))
