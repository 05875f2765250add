"""The metadata server as google-auth and Google's guest programs use it."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import requests

from local.metadata import Facts, MetadataServer
from tests.conformance.compute_cloud import until

HEADERS = {"Metadata-Flavor": "Google"}


class Machine:
    """A metadata server on a loop in another thread; ``set`` changes what it says."""

    def __init__(self) -> None:
        self.facts = Facts(
            project="mill",
            project_number=123456789012,
            zone="europe-west4-a",
            name="workers-x1y2",
            id=4242424242424242424,
            machine_type="e2-standard-2",
            service_account="worker@mill.iam.gserviceaccount.com",
            attributes={"local-boot-id": "b-1", "Odd_Key": "v"},
        )
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.server = asyncio.run_coroutine_threadsafe(self._open(), self.loop).result(10)
        self.address = f"127.0.0.1:{self.server.port}"

    async def _open(self) -> MetadataServer:
        server = MetadataServer(lambda: self.facts)
        await server.start(0)
        return server

    def preempt(self) -> None:
        self.facts = replace(self.facts, preempted=True)
        self.loop.call_soon_threadsafe(self.server.announce)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self.server.stop(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)

    def get(self, path: str, headers: dict[str, str] | None = None, **query: str) -> requests.Response:
        url = f"http://{self.address}/computeMetadata/v1/{path}"
        return requests.get(url, params=query, headers=headers or HEADERS, timeout=20, allow_redirects=False)


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine()
    yield machine
    machine.close()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("instance/id", "4242424242424242424"),
        ("instance/name", "workers-x1y2"),
        ("instance/zone", "projects/123456789012/zones/europe-west4-a"),
        ("instance/machine-type", "projects/123456789012/machineTypes/e2-standard-2"),
        ("instance/hostname", "workers-x1y2.europe-west4-a.c.mill.internal"),
        ("instance/preempted", "FALSE"),
        ("instance/maintenance-event", "NONE"),
        ("instance/scheduling/preemptible", "TRUE"),
        ("instance/attributes/local-boot-id", "b-1"),
        ("instance/service-accounts/default/email", "worker@mill.iam.gserviceaccount.com"),
        ("instance/service-accounts/default/scopes", "https://www.googleapis.com/auth/cloud-platform\n"),
        ("instance/service-accounts/", "default/\nworker@mill.iam.gserviceaccount.com/\n"),
        ("instance/attributes/", "local-boot-id\nOdd_Key\n"),
        ("project/project-id", "mill"),
        ("project/numeric-project-id", "123456789012"),
    ],
)
def test_values_are_plain_text(machine: Machine, path: str, value: str) -> None:
    """Each documented key answers as on a real machine, signed with the flavor and tagged."""
    answer = machine.get(path)

    assert (answer.status_code, answer.text) == (200, value)
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert answer.headers["Content-Type"].startswith("application/text")
    assert answer.headers["ETag"]


def test_a_directory_as_json_has_camel_case_names_but_for_the_users_own(machine: Machine) -> None:
    """One recursive request gives everything below a path."""
    answer = machine.get("", recursive="true", alt="json").json()

    instance = answer["instance"]
    assert instance["id"] == 4242424242424242424
    assert instance["machineType"].endswith("e2-standard-2")
    assert instance["scheduling"] == {
        "automaticRestart": "FALSE",
        "onHostMaintenance": "TERMINATE",
        "preemptible": "TRUE",
    }
    assert instance["attributes"] == {"local-boot-id": "b-1", "Odd_Key": "v"}
    assert instance["serviceAccounts"]["default"]["aliases"] == ["default"]
    assert answer["project"]["numericProjectId"] == 123456789012
    assert machine.get("instance/attributes/", recursive="true").json() == instance["attributes"]
    assert "scheduling/preemptible TRUE\n" in machine.get("instance/", recursive="true", alt="text").text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "*/*"}, 403),
        ({"Metadata-Flavor": "Yahoo"}, 403),
        ({"Metadata-Flavor": "Google", "X-Forwarded-For": "10.0.0.1"}, 403),
    ],
)
def test_requests_that_did_not_mean_it_are_refused(machine: Machine, headers: dict[str, str], status: int) -> None:
    """No page, proxy or careless fetch of an address gets a token."""
    answer = machine.get("instance/service-accounts/default/token", headers=headers)

    assert answer.status_code == status
    assert answer.headers["Metadata-Flavor"] == "Google"


def test_what_is_not_there_is_not_found(machine: Machine) -> None:
    """Unknown keys are 404; a directory without its slash is a redirect."""
    assert machine.get("instance/attributes/nothing").status_code == 404
    assert machine.get("instance/name/").status_code == 404
    assert machine.get("instance/service-accounts/somebody/token").status_code == 404
    redirect = machine.get("instance")
    assert (redirect.status_code, redirect.headers["Location"]) == (301, "/computeMetadata/v1/instance/")


def test_waiting_ends_with_the_change(machine: Machine) -> None:
    """Whoever waits with the tag it knows hears of the preemption at once, or has heard of it already."""
    before = machine.get("instance/preempted").headers["ETag"]
    with ThreadPoolExecutor() as pool:
        early = pool.submit(machine.get, "instance/preempted", wait_for_change="true", last_etag=before)
        machine.preempt()
        late = machine.get("instance/preempted", wait_for_change="true", last_etag=before)

        assert early.result(10).text == late.text == "TRUE"
        assert early.result().headers["ETag"] == late.headers["ETag"] != before


def test_waiting_on_a_directory_wakes_for_anything_below_it(machine: Machine) -> None:
    """Google's guest agent waits for the whole tree at once."""
    before = machine.get("", recursive="true").headers["ETag"]
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(machine.get, "", recursive="true", wait_for_change="true", last_etag=before)
        machine.preempt()

        assert waiting.result(10).json()["instance"]["preempted"] == "TRUE"


def test_waiting_ends_with_the_time_that_was_given(machine: Machine) -> None:
    """Without a change the value comes as it is; ``last_etag=0`` never waits."""
    waited = machine.get("instance/preempted", wait_for_change="true", timeout_sec="1")
    at_once = machine.get("instance/preempted", wait_for_change="true", last_etag="0")

    assert waited.text == at_once.text == "FALSE"
    assert machine.get("instance/preempted", wait_for_change="true", timeout_sec="soon").status_code == 400


AUTH = """
import google.auth, google.auth.transport.requests
from google.auth.compute_engine import _metadata
request = google.auth.transport.requests.Request()
credentials, project = google.auth.default()
credentials.refresh(request)
print(type(credentials).__module__, project, credentials.service_account_email, credentials.valid)
print(_metadata.ping(request), _metadata.get_universe_domain(request))
"""


def test_google_auth_takes_it_for_the_real_one(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Application default credentials find the project, the service account and a token."""
    home = str(tmp_path_factory.mktemp("home"))  # no gcloud configuration of whoever runs this
    environment = {"GCE_METADATA_HOST": machine.address, "GCE_METADATA_IP": machine.address, "HOME": home}

    done = subprocess.run([sys.executable, "-c", AUTH], env=environment, capture_output=True, text=True, check=False)

    assert done.stdout.splitlines() == [
        "google.auth.compute_engine.credentials mill worker@mill.iam.gserviceaccount.com True",
        "True googleapis.com",
    ], done.stderr


def test_a_closed_server_lets_nobody_wait(machine: Machine) -> None:
    """Listeners are cut off when the machine is deleted, whatever time they had asked for."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(machine.get, "instance/preempted", wait_for_change="true")
        runner: Any = machine.server._runner
        until(lambda: runner.server.connections, "a listener")
        asyncio.run_coroutine_threadsafe(machine.server.stop(), machine.loop).result(10)

        assert isinstance(waiting.exception(10), requests.ConnectionError)
