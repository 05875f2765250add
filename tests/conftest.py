"""Fixtures that tests of several kinds share: the local cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import Cloud, running


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """One local cloud for all tests of the session: leave nothing in it that another test would trip over."""
    with running(tmp_path_factory.mktemp("cloud") / "data") as started:
        yield started


@pytest.fixture
def fresh_cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A local cloud for one test alone, which may break it."""
    with running(tmp_path / "data") as started:
        yield started
