"""A new project, as gcloud and terraform would show it, and doors to knock at."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.programs import DIGEST, StandIns

SUBSCRIPTIONS = {"upload-finalized": "eventarc-1", "tick": "eventarc-2"}


@dataclass
class Doors:
    """What strangers get; ``leads_to`` is where the web sends them."""

    url: str = ""
    web: int = 302
    leads_to: str = "https://accounts.google.com/o/oauth2/v2/auth"
    dispatcher: int = 403
    knocks: list[str] = field(default_factory=list)


@pytest.fixture
def doors() -> Iterator[Doors]:
    """The two services as strangers find them."""
    doors = Doors()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            doors.knocks.append(self.path)
            self.send_response(doors.web if self.path == "/web" else doors.dispatcher)
            if self.path == "/web" and doors.leads_to:
                self.send_header("Location", doors.leads_to)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    doors.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield doors
    server.shutdown()
    server.server_close()


@pytest.fixture
def cloud(tmp_path: Path, doors: Doors, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Signed in, with a project that has billing and nothing else."""
    folder = tmp_path / "programs"
    folder.mkdir()
    made = StandIns(folder)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SPOTMILL_DEPLOY_PAUSE", "0")
    monkeypatch.delenv("SPOTMILL_TERRAFORM", raising=False)
    monkeypatch.setattr("deploy.target.ROOT", tmp_path)
    outputs = {
        "web_url": f"{doors.url}/web",
        "upload_bucket": "my-mill-spotmill-uploads",
        "services": {"web": "spotmill-web", "dispatcher": "spotmill-dispatcher"},
        "transport_subscriptions": SUBSCRIPTIONS,
    }
    made.answer("^gcloud auth list", "ann@example.com\n")
    made.answer("^gcloud auth print-access-token", "a-token\n")
    made.answer("^gcloud projects describe", "123456789\n")
    made.answer("^gcloud billing projects describe", "billingAccounts/012345-6789AB-CDEF01\n")
    made.fail("^gcloud storage buckets describe", "not found: 404")
    made.answer("^gcloud sql instances describe", "ALWAYS\n")
    made.answer("^gcloud artifacts docker images describe", DIGEST + "\n")
    made.fail("^gcloud storage cat", "ERROR: The following URLs matched no objects or files: gs://…")
    made.answer("^gcloud storage objects describe", "1700000000000001\n")
    made.answer("^gcloud run services describe", f"{doors.url}/dispatcher\n")
    described = {"containers": [{"env": [{"name": "SPOTMILL_WEB_URL", "value": "https://mill.example.com"}]}]}
    made.answer("^gcloud run services describe .*json", json.dumps({"spec": {"template": {"spec": described}}}))
    made.answer("^gcloud logging read", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d\n")
    made.answer("^terraform version", json.dumps({"terraform_version": "1.13.1"}))
    made.answer("^terraform output", json.dumps({name: {"value": value} for name, value in outputs.items()}))
    return made


def deployed(cloud: StandIns, folder: Path, variables: str = 'region = "us-central1"\n') -> None:
    """Let something run already, whose variables are in the checkout."""
    images = {
        name: f"us-central1-docker.pkg.dev/my-mill/spotmill/{name}@{DIGEST}" for name in ("web", "dispatcher", "worker")
    }
    cloud.answer("^gcloud storage cat .*images.json", json.dumps(images))
    projects = folder / "deploy" / "projects"
    projects.mkdir(parents=True, exist_ok=True)
    for name in ("my-mill", "my-mill-staging", "my-mill-prod"):
        (projects / f"{name}.tfvars").write_text(variables)
