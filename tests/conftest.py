"""What tests of several kinds share: the local cloud, how they are started, and how files are dealt to processes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from tests.cloud import Cloud, running

# No test fails by the clock, or only now and then. To look for new cases: make test ARGS="--hypothesis-profile default"
settings.register_profile(
    "steady", deadline=None, derandomize=True, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

#: A folder whose files go to one process: they build the same images, and others would only wait for that.
_TOGETHER = "tests/containers/"


class _ByFile(LoadFileScheduling):  # type: ignore[misc] # xdist has no types
    def _split_scope(self, nodeid: str) -> str:
        return _TOGETHER if nodeid.startswith(_TOGETHER) else str(super()._split_scope(nodeid))


def pytest_configure() -> None:
    """Heed Ctrl-C even if started by a shell in the background, which has it ignored, also by what the tests start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Deal out whole files, and what belongs together to one process."""
    return _ByFile(config, log) if config.getoption("dist") == "loadfile" else None


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
