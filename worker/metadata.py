"""What a VM knows about itself, from its metadata server (https://cloud.google.com/compute/docs/metadata/overview)."""

import http.client
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import stamina

from shared.settings import WorkerSettings
from shared.workers import Boot

#: Seconds that a plain request may take.
_DEADLINE_SECONDS = 5
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class MetadataError(Exception):
    """The metadata server cannot be reached or refuses; the message says which and where."""


@dataclass(frozen=True, slots=True)
class Value:
    """A metadata value and the tag that tells this state of it from the next."""

    text: str
    etag: str


class MetadataServer:
    """The server at ``GCE_METADATA_HOST``."""

    def __init__(self, host: str | None = None) -> None:
        self.host = host or os.environ.get("GCE_METADATA_HOST") or "metadata.google.internal"

    def get(self, key: str) -> str:
        """Read ``/computeMetadata/v1/<key>``.

        Raises:
            MetadataError: that is not possible.
        """
        return self._request(key, {}, _DEADLINE_SECONDS).text

    def wait_for_change(self, key: str, last: Value | None, seconds: int) -> Value:
        """Wait until the value is no longer ``last``, for ``seconds`` at most; return what it is then.

        Raises:
            MetadataError: that is not possible.
        """
        if last is None:
            return self._request(key, {}, _DEADLINE_SECONDS)
        query = {"wait_for_change": "true", "timeout_sec": str(seconds), "last_etag": last.etag}
        return self._request(key, query, seconds + _DEADLINE_SECONDS)

    def _request(self, key: str, query: dict[str, str], seconds: float) -> Value:
        connection = http.client.HTTPConnection(self.host, timeout=seconds)
        path = f"/computeMetadata/v1/{key}"
        try:
            connection.request(
                "GET", path + ("?" + urlencode(query) if query else ""), headers={"Metadata-Flavor": "Google"}
            )
            response = connection.getresponse()
            body = response.read(65536).decode()
        except (OSError, http.client.HTTPException) as error:
            raise MetadataError(f"no answer from the metadata server at {self.host}: {error}") from error
        finally:
            connection.close()
        if response.status != 200 or response.getheader("Metadata-Flavor") != "Google":
            raise MetadataError(f"the metadata server at {self.host} answered {response.status} to {path}")
        return Value(body.strip(), response.getheader("ETag") or "0")


def read_boot(server: MetadataServer, settings: WorkerSettings, patience_seconds: float = 20) -> Boot:
    """Find out who this VM is; the server may need a moment after boot.

    Raises:
        MetadataError: it did not answer.
    """
    for trial in stamina.retry_context(
        on=MetadataError, attempts=None, timeout=patience_seconds, wait_initial=0.1, wait_max=2
    ):
        with trial:
            return Boot(
                instance=server.get("instance/name"),
                zone=server.get("instance/zone").rsplit("/", 1)[-1],
                boot_id=settings.boot_id or _BOOT_ID.read_text().strip(),
                machine_type=server.get("instance/machine-type").rsplit("/", 1)[-1],
                slots=settings.worker_slots,
            )
    raise MetadataError("unreachable")  # the loop above returns or raises
