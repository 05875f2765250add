"""All that the handlers work on, opened and closed together."""

import fcntl
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from local.faults.injection import Faults
from local.gcs.bodies import Bodies
from local.gcs.database import Database
from local.gcs.faults import KINDS
from local.gcs.outbox import Outbox
from local.gcs.sessions import Sessions
from local.gcs.signers import Signers

log = logging.getLogger(__name__)

#: Threads for disk and checksums; the machine's cores bound what more would bring.
THREADS = 8


class Storage:
    """One data directory being served.

    ``address`` is host:port, for links where a request names no host. Events are published to the Pub/Sub server at
    ``pubsub_host``; without one they are not recorded, for nobody would ever fetch them.
    """

    def __init__(
        self,
        directory: Path,
        *,
        address: str,
        signer_keys: tuple[Path, ...] = (),
        pubsub_host: str | None = None,
        allow_anonymous_xml: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(directory)
        self.address = address
        self.faults = Faults(KINDS)
        self.allow_anonymous_xml = allow_anonymous_xml
        self.executor = ThreadPoolExecutor(THREADS, thread_name_prefix="gcs-disk")
        self.signers = Signers(signer_keys)
        self.bodies = Bodies(directory / "bodies")
        self.database = Database(
            directory / "metadata.sqlite",
            before_commit=self.bodies.sync_directory,
            delete_body=self.bodies.delete,
            on_events=self._wake_outbox,
            keep_events=pubsub_host is not None,
        )
        self.sessions = Sessions(self.database, self.bodies, self.executor)
        self._outbox = Outbox(self.database, pubsub_host) if pubsub_host else None
        owned = self.database.reader.execute(
            "SELECT body FROM objects UNION ALL SELECT body FROM sessions WHERE state = 'open'"
        )
        swept = self.bodies.sweep(row[0] for row in owned)
        if swept:
            log.info("gcs.swept bodies=%d", swept)
        if self._outbox is not None:
            self._outbox.drain()

    def _wake_outbox(self) -> None:
        if self._outbox is not None:
            self._outbox.wake()

    async def close(self) -> None:
        """Finish what is under way and let the directory go."""
        if self._outbox is not None:
            await self._outbox.close()
        await self.sessions.close()
        self.database.close()
        self.executor.shutdown()
        self.bodies.close()
        self._lock.close()


def _lock(directory: Path) -> IO[bytes]:
    """Claim the directory; the claim ends with the process, however that ends.

    Raises:
        BlockingIOError: another server has it; two would sweep away each other's bodies.
    """
    file = (directory / "lock").open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise BlockingIOError(f"Another Cloud Storage server is using {directory}") from error
    return file
