"""Pub/Sub servers for tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.pubsub.pubsub_server import PubSubServer


@pytest.fixture(scope="session")
def pubsub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PubSubServer]:
    """One server for all tests, with a clock that they may move; each test makes topics of its own."""
    server = PubSubServer(tmp_path_factory.mktemp("pubsub"), "--test-clock", "--pull-wait-seconds", "1", patient=True)
    yield server
    server.close()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[..., PubSubServer]]:
    """Starts a server that the test may kill."""
    servers: list[PubSubServer] = []

    def start(*options: str, patient: bool = False) -> PubSubServer:
        servers.append(PubSubServer(tmp_path / "pubsub", *options, patient=patient))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
