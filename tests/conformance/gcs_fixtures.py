"""Local Cloud Storage servers for tests; a pytest plugin, so that a session starts one server and not one a file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud import storage

from tests.conformance.gcs_server import GcsServer


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """One server for all tests that break nothing."""
    with GcsServer(tmp_path_factory.mktemp("gcs")) as server:
        yield server


@pytest.fixture
def bucket(gcs: GcsServer) -> storage.Bucket:
    """A fresh bucket of the shared server."""
    return gcs.bucket()


@pytest.fixture
def own_gcs(tmp_path: Path) -> Iterator[GcsServer]:
    """A server for one test alone, which may kill it."""
    with GcsServer(tmp_path) as server:
        yield server
