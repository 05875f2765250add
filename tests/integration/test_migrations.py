"""Migrations run forwards, describe what the models say, and do not mind data or company."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from shared import lifecycle
from shared.jobs import NewJob
from shared.migrate import config, migrate
from shared.models import Base


@pytest.fixture
def empty(engine: Engine, database_url: str) -> Engine:
    """A database with nothing in it."""
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    return create_engine(database_url)


def test_an_empty_database_gets_the_schema_of_the_models(empty: Engine) -> None:
    """After all migrations there is no difference between the database and the models."""
    migrate(empty)
    with empty.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_two_deployments_at_once_migrate_once(empty: Engine) -> None:
    """Migrations started at the same time wait for each other and both succeed."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: migrate(empty), range(2)))
    with empty.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one() == 1


def test_every_step_keeps_the_data(empty: Engine) -> None:
    """A job recorded at the first revision is still there, counted and claimable at the newest."""
    script = ScriptDirectory.from_config(config())
    [first, *later] = [s.revision for s in reversed(list(script.walk_revisions()))]
    migrate(empty, first)
    with empty.begin() as connection:
        [job] = lifecycle.record(connection, [NewJob("b", "o.jpg", 1, "image", 1, "image/jpeg")])
    for revision in later:
        migrate(empty, revision)
    migrate(empty)
    with empty.begin() as connection:
        [claimed] = lifecycle.claim(connection, [job.id], worker="w", lease_seconds=40)
        assert claimed.object == "o.jpg"
