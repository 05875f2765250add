"""SQLAlchemy's dialect for pg8000, with every failure of the network told as one.

pg8000 1.31 lets the ``OSError`` of the first read of a message through as it is (``core._read``). SQLAlchemy then takes
a reset connection for an error of the program: it does not ping past it, nor drops it from the pool.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pg8000.exceptions import InterfaceError
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

#: The driver's name in a URL: ``postgresql+spotmill://``.
DRIVER = "spotmill"


@contextmanager
def _as_network_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InterfaceError("network error") from error  # the words by which the dialect knows a lost connection


class NetworkErrorsDialect(PGDialect_pg8000):
    """pg8000 as SQLAlchemy drives it; a lost connection is always an ``InterfaceError`` that invalidates it."""

    supports_statement_cache = True

    def connect(self, *cargs: Any, **cparams: Any) -> Any:
        with _as_network_error():
            return super().connect(*cargs, **cparams)

    def do_ping(self, dbapi_connection: Any) -> bool:
        with _as_network_error():
            return super().do_ping(dbapi_connection)

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        with _as_network_error():
            super().do_execute(cursor, statement, parameters, context)

    def do_execute_no_params(self, cursor: Any, statement: Any, context: Any = None) -> None:
        with _as_network_error():
            super().do_execute_no_params(cursor, statement, context)

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        with _as_network_error():
            super().do_executemany(cursor, statement, parameters, context)

    def do_commit(self, dbapi_connection: Any) -> None:
        with _as_network_error():
            super().do_commit(dbapi_connection)

    def do_rollback(self, dbapi_connection: Any) -> None:
        with _as_network_error():
            super().do_rollback(dbapi_connection)


registry.register(f"postgresql.{DRIVER}", __name__, NetworkErrorsDialect.__name__)
