"""The way to the database in the cloud: Cloud SQL's own connector, IAM authentication, against a stand-in."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, OperationalError

from shared.database import away, open_engine
from shared.migrate import command
from shared.settings import DatabaseSettings, load
from tests.cloud import postgres
from tests.cloud_sql import CloudSqlStandIn, silent_server, standing_in

USER = "migrator@a-project.iam"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, int]]:
    """Address of a Postgres that trusts whoever comes from this machine, with the migrator's user."""
    directory = tmp_path_factory.mktemp("postgres")
    with postgres(directory) as url:
        superuser = create_engine(url, isolation_level="AUTOCOMMIT")
        with superuser.connect() as connection:
            connection.execute(text("CREATE ROLE cloudsqlsuperuser CREATEROLE NOLOGIN"))
            connection.execute(text(f'CREATE ROLE "{USER}" LOGIN IN ROLE cloudsqlsuperuser'))
            connection.execute(text("CREATE DATABASE spotmill OWNER cloudsqlsuperuser"))
            rules = Path(str(connection.scalar(text("SHOW hba_file"))))
            rules.write_text("host all all 127.0.0.1/32 trust\n" + rules.read_text())
            connection.execute(text("SELECT pg_reload_conf()"))
        superuser.dispose()
        parts = make_url(url)
        yield str(parts.host), int(parts.port or 0)


@pytest.fixture
def cloud_sql(server: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudSqlStandIn]:
    """Cloud SQL in front of the server, and a service account to sign in with."""
    with standing_in(tmp_path, server) as stand_in:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(stand_in.key_file))
        yield stand_in


def settings_for(stand_in: CloudSqlStandIn, seconds: float = 10) -> DatabaseSettings:
    """As Terraform sets them."""
    return DatabaseSettings(
        database_instance=stand_in.connection_name,
        database_user=USER,
        database_admin_endpoint=stand_in.endpoint,
        database_timeout_seconds=seconds,
    )


@pytest.fixture
def engine(cloud_sql: CloudSqlStandIn) -> Iterator[Engine]:
    """An engine with little patience."""
    engine = open_engine(settings_for(cloud_sql, seconds=2))
    yield engine
    engine.dispose()


def test_a_connection_needs_a_token_and_no_password(cloud_sql: CloudSqlStandIn) -> None:
    """The connector signs in with the service account; one certificate serves many connections."""
    engine = open_engine(settings_for(cloud_sql))
    with engine.connect() as one, engine.connect() as two:
        assert one.scalar(text("SELECT current_user")) == two.scalar(text("SELECT session_user")) == USER
    assert [call.rsplit("/", 1)[-1] for call in cloud_sql.calls].count("spotmill:generateEphemeralCert") == 1
    engine.dispose()


def test_the_migration_job_reaches_its_database(cloud_sql: CloudSqlStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """``spotmill migrate`` with nothing but what the job's environment says makes the schema."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("SPOTMILL_DATABASE_INSTANCE", cloud_sql.connection_name)
    monkeypatch.setenv("SPOTMILL_DATABASE_USER", USER)
    monkeypatch.setenv("SPOTMILL_DATABASE_ADMIN_ENDPOINT", cloud_sql.endpoint)
    monkeypatch.setenv("SPOTMILL_DATABASE_OWNER", "cloudsqlsuperuser")
    load.cache_clear()
    done = CliRunner().invoke(command)
    load.cache_clear()
    assert done.exit_code == 0, (done.output, done.exception)
    engine = open_engine(settings_for(cloud_sql))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT has_table_privilege('jobs', 'SELECT')"))
    engine.dispose()


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_refusal_of_the_admin_api_is_a_database_that_is_away(
    cloud_sql: CloudSqlStandIn, engine: Engine, status: int
) -> None:
    """Whatever the Admin API says becomes an error that every caller waits out; then all goes on."""
    cloud_sql.failing = status
    with pytest.raises(OperationalError, match="cannot be reached") as caught:
        engine.connect()
    assert away(caught.value)
    cloud_sql.failing = None
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


def test_an_admin_api_that_never_answers_holds_nobody(cloud_sql: CloudSqlStandIn, engine: Engine) -> None:
    """Opening a connection ends within the setting's seconds."""
    cloud_sql.mute = threading.Event()
    with pytest.raises(OperationalError, match="no answer in 2 s"):
        engine.connect()


def test_an_instance_that_cannot_be_reached_holds_nobody_for_longer(cloud_sql: CloudSqlStandIn, engine: Engine) -> None:
    """Packets that nobody answers hang the connector's only thread for minutes; the next caller gets another."""
    with silent_server() as address:
        cloud_sql.silent_address = address
        with pytest.raises(OperationalError, match="no answer in 2 s"):
            engine.connect()
        cloud_sql.silent_address = None
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT 1")) == 1


def test_an_instance_that_falls_silent_holds_nobody(cloud_sql: CloudSqlStandIn, engine: Engine) -> None:
    """A statement whose answer never comes ends within the setting's seconds, and its connection is dropped."""
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
        cloud_sql.deaf = True
        with pytest.raises(DBAPIError) as caught:
            connection.scalar(text("SELECT 2"))
        assert caught.value.connection_invalidated
    cloud_sql.deaf = False
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT 3")) == 3
