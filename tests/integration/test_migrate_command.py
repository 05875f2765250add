"""``spotmill migrate`` as a deployment runs it: signed in as a user whose rights come from a role, as on Cloud SQL."""

from collections.abc import Iterator

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine, create_engine, text

from shared.migrate import command
from shared.settings import load
from tests.cloud import postgres

#: As Cloud SQL names a service account's user: its address without ``.gserviceaccount.com``.
WEB = "spotmill-web@a-project.iam"
GRANTS = f"web={WEB},dispatcher=d@a-project.iam,worker=w@a-project.iam"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A server on which nothing was ever migrated, with the roles and users that Cloud SQL and Terraform make."""
    with postgres(tmp_path_factory.mktemp("postgres")) as url:
        superuser = create_engine(url, isolation_level="AUTOCOMMIT")
        with superuser.connect() as connection:
            for statement in (
                "CREATE ROLE cloudsqlsuperuser CREATEROLE CREATEDB NOLOGIN",
                "CREATE ROLE \"migrator@a-project.iam\" LOGIN PASSWORD 'a-token' IN ROLE cloudsqlsuperuser",
                f"CREATE ROLE \"{WEB}\" LOGIN PASSWORD 'a-token'",
                'CREATE ROLE "d@a-project.iam" LOGIN',
                'CREATE ROLE "rich@a-project.iam" LOGIN IN ROLE cloudsqlsuperuser',
                'CREATE ROLE "w@a-project.iam" LOGIN',
                "CREATE DATABASE spotmill OWNER cloudsqlsuperuser",
            ):
                connection.execute(text(statement))
        yield superuser
        superuser.dispose()


def run(monkeypatch: pytest.MonkeyPatch, server: Engine, **environment: str) -> Result:
    """Run the command as the migration job does."""
    url = server.url.set(
        drivername="postgresql+pg8000", username="migrator@a-project.iam", password="a-token", database="spotmill"
    )
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    load.cache_clear()
    try:
        return CliRunner().invoke(command)
    finally:
        load.cache_clear()


def test_a_deployment_makes_the_schema_and_lets_the_processes_in(
    server: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The schema belongs to the owner role, each user gets its group and no more; a second one changes nothing."""
    for _ in range(2):
        done = run(monkeypatch, server, SPOTMILL_DATABASE_OWNER="cloudsqlsuperuser", SPOTMILL_DATABASE_GRANTS=GRANTS)
        assert done.exit_code == 0, done.output
        assert f"{WEB} has the rights of web" in done.output
    everything = create_engine(server.url.set(database="spotmill"))
    with everything.connect() as connection:
        owners = connection.execute(text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"))
        assert owners.scalars().all() == ["cloudsqlsuperuser"]
        groups = connection.execute(
            text("""SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
                    JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = :user"""),
            {"user": WEB},
        )
        assert groups.scalars().all() == ["spotmill_web"]
    everything.dispose()


def test_the_web_user_is_bound_by_row_level_security(server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the migration granted lets the web read jobs, under row-level security, and not change the schema."""
    run(monkeypatch, server, SPOTMILL_DATABASE_OWNER="cloudsqlsuperuser", SPOTMILL_DATABASE_GRANTS=GRANTS)
    web = create_engine(server.url.set(username=WEB, password="a-token", database="spotmill"))
    with web.connect() as connection:
        assert connection.scalar(text("SELECT row_security_active('jobs')"))
        assert connection.scalar(text("SELECT has_schema_privilege('public', 'CREATE')")) is False
    web.dispose()


def test_a_user_with_the_rights_of_the_owner_is_an_error(server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command fails, and names the user, where Cloud SQL made a process's user with every right there is."""
    grants = GRANTS.replace("w@a-project.iam", "rich@a-project.iam")
    done = run(monkeypatch, server, SPOTMILL_DATABASE_OWNER="cloudsqlsuperuser", SPOTMILL_DATABASE_GRANTS=grants)
    assert done.exit_code == 1
    assert "'rich@a-project.iam' is a member of 'cloudsqlsuperuser'" in done.output


@pytest.mark.parametrize("grants", ["root=someone", "web=", "web"])
def test_grants_that_make_no_sense_are_refused(server: Engine, monkeypatch: pytest.MonkeyPatch, grants: str) -> None:
    """A process that does not exist, or one without a user, ends the command with what to write instead."""
    done = run(monkeypatch, server, SPOTMILL_DATABASE_GRANTS=grants)
    assert done.exit_code == 1
    assert "web=USER" in done.output


def test_an_owner_that_the_user_cannot_become_is_an_error(server: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command fails, and says so, where the user is no member of the role that shall own the schema."""
    done = run(monkeypatch, server, SPOTMILL_DATABASE_OWNER=server.url.username or "")
    assert done.exit_code == 1
    assert "permission denied to set role" in str(done.exception)
