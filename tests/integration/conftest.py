"""A real Postgres for tests that need nothing else: one server, a fresh migrated database for each test."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine, text

from shared.migrate import migrate
from tests.cloud import postgres


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Superuser's URL of a running Postgres that has a migrated template database."""
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        admin = create_engine(url, isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text("CREATE DATABASE template_spotmill"))
        engine = create_engine(admin.url.set(database="template_spotmill"))
        migrate(engine)
        engine.dispose()
        admin.dispose()
        yield url


@pytest.fixture
def database_url(postgres_url: str) -> Iterator[str]:
    """Owner's URL of a fresh database at the newest schema."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template_spotmill"))
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The owner's engine of a fresh database."""
    engine = create_engine(database_url, pool_size=20, max_overflow=20)
    yield engine
    engine.dispose()
