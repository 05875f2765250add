"""Connections to Cloud SQL through its connector: IAM authentication, private address, no password anywhere."""

import asyncio
import atexit
import concurrent.futures
import threading
from typing import Any

from google.cloud.sql.connector import Connector, IPTypes
from pg8000 import Error, OperationalError

from shared.settings import DatabaseSettings


class CloudSql:
    """Opens connections to one instance, each within ``database_timeout_seconds``, whatever does not answer.

    The connector itself waits without an end: for the Admin API, for a connection, and (as pg8000 sets no timeout on a
    socket that it is given) for every answer. Its errors are those of five libraries, of which SQLAlchemy knows none.
    """

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._opener = _Opener(settings)

    def connect(self) -> Any:
        """Open a connection of pg8000.

        Raises:
            pg8000.Error: Postgres refused it, or it could not be reached in time.
        """
        settings, opener = self._settings, self._opener
        opening = opener.begin()
        try:
            connection = opening.result(settings.database_timeout_seconds)
        except concurrent.futures.TimeoutError:
            opening.cancel()
            self._replace(opener)
            raise self._unreachable(f"no answer in {settings.database_timeout_seconds:g} s") from None
        except Error:
            raise
        except Exception as error:
            raise self._unreachable(str(error) or type(error).__name__) from error
        connection._usock.settimeout(settings.database_timeout_seconds)  # noqa: SLF001 - pg8000 offers no other way
        return connection

    def _replace(self, stuck: "_Opener") -> None:
        """Begin anew: the connector reaches for the instance in its only thread, and may hang there for minutes."""
        with self._lock:
            if self._opener is stuck:
                self._opener = _Opener(self._settings)
                stuck.close()

    def _unreachable(self, reason: str) -> OperationalError:
        return OperationalError(f"Cloud SQL instance {self._settings.database_instance} cannot be reached: {reason}")


class _Opener:
    """A connector and the thread that it works in."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="cloud-sql", daemon=True).start()
        # Lazy: an instance of Cloud Run has no CPU between requests to refresh certificates with.
        self._connector = Connector(
            ip_type=IPTypes.PRIVATE,
            enable_iam_auth=True,
            refresh_strategy="lazy",
            loop=self._loop,
            sqladmin_api_endpoint=settings.database_admin_endpoint,
        )
        atexit.register(self._connector.close)

    def begin(self) -> "concurrent.futures.Future[Any]":
        """Begin to open a connection."""
        settings = self._settings
        return asyncio.run_coroutine_threadsafe(
            self._connector.connect_async(
                settings.database_instance or "", "pg8000", user=settings.database_user, db=settings.database_name
            ),
            self._loop,
        )

    def close(self) -> None:
        """Let go of everything as soon as the thread comes back."""
        atexit.unregister(self._connector.close)
        closing = asyncio.run_coroutine_threadsafe(self._connector.close_async(), self._loop)
        closing.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
