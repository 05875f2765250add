"""The web service on the session's local cloud."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import Cloud
from tests.web import Web, web_on


@pytest.fixture
def web(cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """The application in this process, without jobs; they are gone afterwards too."""
    for name in ("STORAGE_EMULATOR_HOST", "PUBSUB_EMULATOR_HOST"):
        monkeypatch.setenv(name, cloud.environment[name])
    made = web_on(cloud, tmp_path)
    made.forget()
    yield made
    made.close()
