"""Images for all tests of the session, built once for each state of the sources."""

import pytest

from tests.containers.engine import Engine, Image, Unavailable


@pytest.fixture(scope="session")
def engine() -> Engine:
    """What builds and runs images here."""
    engine = Engine()
    try:
        engine.prepare()
    except Unavailable as reason:
        pytest.skip(str(reason))
    return engine


@pytest.fixture(scope="session")
def web(engine: Engine) -> Image:
    return engine.build("web", REVISION="0123abc", VERSION="1.2.3")


@pytest.fixture(scope="session")
def dispatcher(engine: Engine) -> Image:
    return engine.build("dispatcher", REVISION="0123abc", VERSION="1.2.3")


@pytest.fixture(scope="session")
def worker(engine: Engine) -> Image:
    return engine.build("worker", REVISION="0123abc", VERSION="1.2.3")
