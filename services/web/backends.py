"""What the web service talks to: database, Cloud Storage, Pub/Sub, the instance group. Each opens when first used."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, cast

import structlog
from flask import current_app
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Bucket
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from services.web.cloud_errors import CLOUD_ERRORS
from services.web.fleet_watch import FleetWatch, Seen
from services.web.links import Links
from services.web.problems import unavailable
from services.web.views import Person
from shared.database import acting_as, open_engine
from shared.jobs import Pending
from shared.lifecycle import mark_published
from shared.settings import SettingsError, WebSettings
from shared.signing import UrlSigner, signing_credentials
from shared.storage_client import open_storage

if TYPE_CHECKING:
    from google.cloud.pubsub_v1 import PublisherClient
    from google.cloud.pubsub_v1.types import PubsubMessage

    from shared.compute import InstanceGroup

_EXTENSION = "spotmill"

log = structlog.get_logger()


def check_signer(settings: WebSettings) -> None:
    """Find out at the start whether uploads can be signed with the key that is named.

    Raises:
        SettingsError: the key file cannot be used.
    """
    if settings.signer_key is None:
        return
    try:
        signing_credentials(settings)
    except (OSError, ValueError) as error:
        raise SettingsError(f"SPOTMILL_SIGNER_KEY: no service-account key can be read there: {error}") from None


class Backends:
    """One for each process; safe to use from several threads."""

    def __init__(self, settings: WebSettings) -> None:
        self.settings = settings
        self.engine = open_engine(settings)
        self.watch = FleetWatch(self._look)
        self._guarded = False
        self._lock = threading.RLock()

    def warm(self) -> None:
        """Load what takes long (the Compute client imports for seconds) before somebody waits for it."""

        def load() -> None:
            try:
                _ = self.links, self.group
            except Exception as error:  # noqa: BLE001 - the request that needs it meets the same error and shows it
                log.warning("web.warm", reason=str(error))

        threading.Thread(target=load, name="warm", daemon=True).start()

    @contextmanager
    def transaction(self, person: Person) -> Iterator[Connection]:
        """Open a transaction in which row-level security shows what this person may see."""
        with self.engine.begin() as connection:
            self._guard(connection)
            with acting_as(connection, person.email, admin=person.admin):
                yield connection

    @contextmanager
    def fleet_transaction(self) -> Iterator[Connection]:
        """Open a transaction that sees the jobs of everybody, as the size of the fleet depends on all of them."""
        with self.engine.begin() as connection:
            self._guard(connection)
            with acting_as(connection, "", admin=True):
                yield connection

    def _guard(self, connection: Connection) -> None:
        """Refuse a database role that row-level security does not bind: it would show everything to everybody."""
        if self._guarded:
            return
        if not connection.execute(text("SELECT row_security_active('jobs')")).scalar_one():
            role = connection.execute(text("SELECT current_user")).scalar_one()
            log.error("database.role_unbound", role=role)
            raise unavailable(
                "The database role is wrong",
                f"The role {role!r} passes over row-level security; give the web service one in spotmill_web.",
            )
        self._guarded = True

    @cached_property
    def links(self) -> Links:
        """Signed URLs."""
        with self._lock:
            settings = self.settings
            credentials = signing_credentials(settings)
            return Links(
                UrlSigner(credentials, public_url=settings.storage_public_url, life_seconds=settings.signed_url_seconds)
            )

    @cached_property
    def upload_bucket(self) -> Bucket:
        """The bucket for uploads, for plain forms."""
        with self._lock:
            return open_storage(self.settings.project).bucket(self.settings.upload_bucket)

    @cached_property
    def result_bucket(self) -> Bucket:
        """The bucket of results, for those that the service itself reads."""
        with self._lock:
            return open_storage(self.settings.project).bucket(self.settings.result_bucket)

    @cached_property
    def publisher(self) -> "PublisherClient":
        """The publisher of job messages."""
        from shared.queue import open_publisher  # noqa: PLC0415 - gRPC is slow to load, and only a retry publishes

        with self._lock:
            return open_publisher()

    @cached_property
    def group(self) -> "InstanceGroup":
        """The instance group of the workers."""
        from shared.compute import InstanceGroup  # noqa: PLC0415 - takes seconds to load: see warm

        with self._lock:
            return InstanceGroup(self.settings)

    def _look(self) -> Seen:
        from shared.compute import ComputeError  # noqa: PLC0415 - as above

        try:
            self._let_go()
            return Seen(target=self.group.look().target)
        except (ComputeError, GoogleAuthError) as error:
            log.warning("fleet.unreadable", reason=str(error))
            return Seen(problem=f"The workers' instance group cannot be read. {error}")

    def _let_go(self) -> None:
        """Delete VMs that are done and close a stopped run while somebody watches; otherwise the tick does it."""
        from shared import compute, workers  # noqa: PLC0415 - as above

        try:
            with self.fleet_transaction() as connection:
                if workers.any_done(connection):
                    compute.apply(connection, self.group, self.settings)
        except SQLAlchemyError as error:
            log.warning("fleet.not_applied", reason=str(error))

    def resend(self, messages: "Sequence[PubsubMessage]") -> None:
        """Publish messages to the workers' topic as they are.

        Raises what Pub/Sub raises.
        """
        from shared.queue import resend  # noqa: PLC0415 - as above

        resend(self.publisher, self.settings, messages)

    def announce(self, person: Person, pending: Sequence[Pending]) -> None:
        """Tell the workers about queued jobs. If Pub/Sub is away, the next tick does so."""
        from shared.queue import send  # noqa: PLC0415 - as above

        try:
            sent = list(send(self.publisher, self.settings, pending))
        except CLOUD_ERRORS as error:
            log.warning("queue.publish_failed", jobs=len(pending), reason=str(error))
            return
        with self.transaction(person) as connection:
            mark_published(connection, sent)


def backends() -> Backends:
    """Return those of the running application."""
    return cast(Backends, current_app.extensions[_EXTENSION])
