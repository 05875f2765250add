"""``spotmill migrate``: bring the database to the newest schema; forwards only."""

import time
from pathlib import Path

import click
from alembic import command as alembic
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text

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


@click.command()
@click.option("--database-url", envvar="DATABASE_URL", required=True, help="URL of the owner role.")
@click.option("--revision", default="head", show_default=True, help="Stop at this revision.")
def command(database_url: str, revision: str) -> None:
    """Bring the database to the newest schema."""
    started = time.monotonic()
    engine = create_engine(database_url)
    migrate(engine, revision)
    engine.dispose()
    click.echo(f"Database is at {revision} ({time.monotonic() - started:.1f} s)")
