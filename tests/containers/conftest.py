"""Images for all tests of the session, built once for each state of the sources, and a local cloud for each file."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud import Cloud, running
from tests.containers.engine import Engine, Image, UnavailableError

#: The first build on a machine takes minutes, and other test processes wait for it.
_SECONDS = 900
#: What is built says who it is.
IDENTITY = {"REVISION": "0123abc", "VERSION": "1.2.3"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Be patient with every test of this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_SECONDS))


@pytest.fixture(scope="session")
def engine() -> Engine:
    """What builds and runs images here."""
    engine = Engine()
    try:
        engine.prepare()
    except UnavailableError as reason:
        pytest.skip(str(reason))
    return engine


@pytest.fixture(scope="session")
def web(engine: Engine) -> Image:
    return engine.build("web", **IDENTITY)


@pytest.fixture(scope="session")
def dispatcher(engine: Engine) -> Image:
    return engine.build("dispatcher", **IDENTITY)


@pytest.fixture(scope="session")
def worker(engine: Engine) -> Image:
    return engine.build("worker", **IDENTITY)


@pytest.fixture(scope="session")
def gpu_worker(engine: Engine) -> Image:
    return engine.build("worker-gpu", **IDENTITY)


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud of one's own: containers leave jobs and workers in it."""
    with running(tmp_path_factory.mktemp("cloud") / "data") as started:
        yield started
