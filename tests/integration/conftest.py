"""A real Postgres for tests that need nothing else: one server, a fresh migrated database for each test."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from local.postgres.cluster import superuser_url
from shared.migrate import migrate


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Data directory of a running Postgres that has a migrated template database."""
    directory = tmp_path_factory.mktemp("postgres")
    server = subprocess.Popen(
        [sys.executable, "-m", "spotmill", "local", "postgres", "--port", "0", "--data-dir", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    assert any("Postgres on" in line for line in server.stdout), "Postgres did not start"
    admin = create_engine(superuser_url(directory), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE template_spotmill"))
    engine = create_engine(superuser_url(directory, "template_spotmill"))
    migrate(engine)
    engine.dispose()
    admin.dispose()
    yield directory
    server.terminate()
    server.wait(10)


@pytest.fixture
def database_url(postgres: Path) -> Iterator[str]:
    """Owner's URL of a fresh database at the newest schema."""
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(superuser_url(postgres), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template_spotmill"))
    yield superuser_url(postgres, name)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The owner's engine of a fresh database."""
    engine = create_engine(database_url, pool_size=20, max_overflow=20)
    yield engine
    engine.dispose()
