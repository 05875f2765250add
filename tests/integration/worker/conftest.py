"""Pub/Sub and Cloud Storage for the tests of the worker, which bring their own agents."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.storage import Client
from sqlalchemy import Engine

from tests.agents import PROJECT, RESULTS, UPLOADS, Lab, Machines, Servers, server


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Running servers with the buckets of the tests."""
    folder = tmp_path_factory.mktemp("servers")
    with server("pubsub", folder / "pubsub") as (_, pubsub), server("gcs", folder / "gcs") as (_, gcs):
        found = Servers(f"127.0.0.1:{pubsub}", f"http://127.0.0.1:{gcs}")
        client = Client(
            project=PROJECT,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": found.storage_url},
        )
        for bucket in (UPLOADS, RESULTS):
            client.create_bucket(bucket)
        yield found


@pytest.fixture(scope="session")
def machines() -> Machines:
    return Machines()


@pytest.fixture
def lab(engine: Engine, database_url: str, servers: Servers, machines: Machines, tmp_path: Path) -> Iterator[Lab]:
    """Everything that one test of the worker needs."""
    made = Lab(engine, database_url, servers, machines, tmp_path)
    yield made
    made.close()
