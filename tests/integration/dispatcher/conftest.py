"""The servers that the dispatcher's handlers need, and a dispatcher in this process for each test."""

import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.agents import server
from tests.dispatch import GROUP, PROJECT, REGION, Dispatch, Servers

#: A "VM" that does nothing: what its worker would say, the tests write into the database.
SLEEP = f"{sys.executable} -S -c 'import signal; signal.pause()'"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("dispatcher")
    (folder / "vm.env").touch()
    group = ("--project", PROJECT, "--region", REGION, "--group", GROUP, "--max-size", "4")
    vms = ("--vm-command", SLEEP, "--vm-env-file", str(folder / "vm.env"))
    with (
        server("pubsub", folder / "pubsub") as (_, pubsub),
        server("gcs", folder / "gcs") as (_, gcs),
        server("compute", folder / "compute", *group, *vms) as (_, compute),
    ):
        yield Servers(f"127.0.0.1:{pubsub}", f"http://127.0.0.1:{gcs}", f"http://127.0.0.1:{compute}")


@pytest.fixture
def dispatch(
    engine: Engine, database_url: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dispatch]:
    """A dispatcher with buckets, topic and database of its own; all share the instance group."""
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", servers.storage_url)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", servers.pubsub_host)
    made = Dispatch(engine, database_url, servers)
    yield made
    made.close()
