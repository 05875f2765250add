"""``spotmill migrate``: bring the database to the newest schema; forwards only."""

import time
from collections.abc import Sequence
from pathlib import Path

import click
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import Engine, event, text
from sqlalchemy.engine.interfaces import DBAPIConnection

from shared.database import open_engine
from shared.settings import MigrationSettings, SettingsError, load

_MIGRATIONS = Path(__file__).parent / "migrations"
#: Key of the advisory lock that keeps two deployments from migrating at once.
_LOCK = 0x5B07_312


def config() -> Config:
    """Return Alembic's configuration, which is code: there is no alembic.ini."""
    configuration = Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    return configuration


def migrate(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to ``revision`` that the database has not seen; safe to run twice at once."""
    with engine.begin() as guard, engine.connect() as connection:
        guard.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        configuration = config()
        configuration.attributes["connection"] = connection
        alembic.upgrade(configuration, revision)
        connection.commit()


def grant(engine: Engine, grants: Sequence[tuple[str, str]]) -> None:
    """Give database users the rights of their processes: pairs of process and user; safe to run again.

    Raises:
        click.ClickException: a user has the rights of the owner, too, whom row-level security does not bind.
    """
    with engine.begin() as connection:
        quote = connection.dialect.identifier_preparer.quote
        for process, user in grants:
            connection.execute(text(f"GRANT {quote(f'spotmill_{process}')} TO {quote(user)}"))
            # Cloud SQL gives cloudsqlsuperuser to users that are made without naming their roles in some of its ways.
            if connection.scalar(
                text("SELECT pg_has_role(CAST(:user AS name), current_user, 'MEMBER')"), {"user": user}
            ):
                owner = connection.scalar(text("SELECT current_user"))
                raise click.ClickException(
                    f"The database user {user!r} is a member of {owner!r} and could read all: take that role from it."
                )


@click.command()
@click.option("--revision", default="head", show_default=True, help="Stop at this revision.")
def command(revision: str) -> None:
    """Bring the database to the newest schema, and let the processes' users in."""
    started = time.monotonic()
    try:
        settings = load(MigrationSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    engine = open_engine(settings)
    if settings.database_owner is not None:
        _become(engine, settings.database_owner)
    migrate(engine, revision)
    grant(engine, settings.database_grants)
    engine.dispose()
    click.echo(f"Database is at {revision} ({time.monotonic() - started:.1f} s)")
    for process, user in settings.database_grants:
        click.echo(f"{user} has the rights of {process}")


def _become(engine: Engine, role: str) -> None:
    """Do everything as ``role``, of which the user is a member: attributes such as CREATEROLE are not inherited.

    Source: https://www.postgresql.org/docs/current/role-membership.html
    """

    @event.listens_for(engine, "connect")
    def set_role(connection: DBAPIConnection, _record: object) -> None:
        connection.cursor().execute(f"SET ROLE {engine.dialect.identifier_preparer.quote(role)}")
        connection.commit()
