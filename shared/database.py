"""Connections to Postgres: a URL on this machine, the Cloud SQL connector with IAM in the cloud."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from shared.network_errors import DRIVER
from shared.settings import DatabaseSettings

#: SQLSTATE classes that blame the values: data exception, integrity violation. Trying again cannot help.
_REFUSALS = ("22", "23")


def refused(error: Exception) -> bool:
    """Tell whether Postgres answered that the values cannot be stored."""
    said = error.orig.args[:1] if isinstance(error, DBAPIError) and error.orig is not None else ()
    return any(isinstance(fields, dict) and str(fields.get("C")).startswith(_REFUSALS) for fields in said)


def away(error: Exception) -> bool:
    """Tell whether a statement failed only for now: no connection, a restart, a deadlock, a full pool."""
    return isinstance(error, SQLAlchemyError | OSError) and not refused(error)


def open_engine(settings: DatabaseSettings, *, autocommit: bool = False) -> Engine:
    """Make the engine of this process; nothing connects yet.

    Every statement ends after ``database_timeout_seconds``, so that a slow database cannot hold a caller for ever. With
    ``autocommit`` each statement is its own transaction and costs one round trip, not three; use ``connect()`` then.
    """
    pool: dict[str, Any] = {
        "pool_size": settings.database_pool_size,
        "max_overflow": 0,
        "pool_timeout": settings.database_timeout_seconds,
        "pool_recycle": 1800,
        "pool_pre_ping": True,
    }
    if autocommit:
        pool["isolation_level"] = "AUTOCOMMIT"
    if settings.database_instance is not None:
        from shared.cloud_sql import CloudSql  # noqa: PLC0415 - its connector takes a second to load

        return create_engine(f"postgresql+{DRIVER}://", creator=CloudSql(settings).connect, **pool)
    if settings.database_url is None:
        raise ValueError("no database is configured")
    url = make_url(settings.database_url)
    return create_engine(
        url.set(drivername=f"postgresql+{DRIVER}") if url.drivername == "postgresql+pg8000" else url,
        connect_args={"timeout": settings.database_timeout_seconds, "tcp_keepalive": True},
        **pool,
    )


@contextmanager
def acting_as(connection: Connection, user: str, *, admin: bool) -> Iterator[Connection]:
    """Say on whose behalf the transaction of ``connection`` runs; row-level security reads it until its end."""
    connection.execute(
        text("SELECT set_config('spotmill.user', :user, true), set_config('spotmill.admin', :admin, true)"),
        {"user": user, "admin": "on" if admin else "off"},
    )
    yield connection
