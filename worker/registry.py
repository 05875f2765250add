"""``spotmill pipelines``: what this image can do, told to the database so that web and dispatcher know."""

import json
from collections.abc import Sequence

import click
from sqlalchemy import Connection, text

from shared.database import open_engine
from shared.settings import Settings, SettingsError, load
from spotmill.pipeline import Pipeline
from worker.child.installed import load_pipelines

_UPSERT = text("""
    INSERT INTO pipelines (name, version, accepts, settings_schema)
    VALUES (:name, :version, CAST(:accepts AS text[]), CAST(:schema AS jsonb))
    ON CONFLICT (name) DO UPDATE SET version = excluded.version, accepts = excluded.accepts,
        settings_schema = excluded.settings_schema, updated_at = now()
    WHERE (pipelines.version, pipelines.accepts, pipelines.settings_schema)
          IS DISTINCT FROM (excluded.version, excluded.accepts, excluded.settings_schema)""")

_FORGET = text("DELETE FROM pipelines WHERE name <> ALL(CAST(:names AS text[]))")


def sync(connection: Connection, pipelines: Sequence[Pipeline]) -> None:
    """Make the table say exactly what is installed; what is no longer, gets no new jobs."""
    names = [p.name for p in pipelines]
    for p in pipelines:
        values = {"name": p.name, "version": p.version, "accepts": list(p.accepts)}
        connection.execute(_UPSERT, values | {"schema": json.dumps(dict(p.settings_schema))})
    connection.execute(_FORGET, {"names": names})


@click.group("pipelines")
def command() -> None:
    """Show the installed pipelines, or tell the database about them."""


@command.command("list")
def list_installed() -> None:
    """Print name, version and accepted content types of each installed pipeline."""
    for found in _installed():
        click.echo(f"{found.name}\t{found.version}\t{', '.join(found.accepts)}")


@command.command("sync")
def sync_table() -> None:
    """Fill the table of pipelines; run it at each deployment of the worker image."""
    try:
        engine = open_engine(load(Settings))
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    found = _installed()
    with engine.begin() as connection:
        sync(connection, found)
    click.echo(f"The database knows {len(found)} pipelines: {', '.join(p.name for p in found)}")


def _installed() -> list[Pipeline]:
    """Load the pipelines, in the order of their names; say which cannot be."""
    found, broken = load_pipelines()
    for name, reason in broken.items():
        click.echo(f"{name}: {reason}", err=True)
    return sorted(found.values(), key=lambda p: p.name)
