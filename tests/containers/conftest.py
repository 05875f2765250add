"""Images for all tests of the session, built once for each state of the sources, and a local cloud for each file."""

from collections.abc import Iterator

import pytest

from tests.cloud import Cloud, running
from tests.containers.engine import Engine, Image, UnavailableError

#: What is built says who it is.
IDENTITY = {"REVISION": "0123abc", "VERSION": "1.2.3"}


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


@pytest.fixture(scope="module")
def cloud(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud of one's own: containers leave jobs and workers in it."""
    with running(tmp_path_factory.mktemp("cloud") / "data") as started:
        yield started
