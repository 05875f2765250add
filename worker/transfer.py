"""Objects in and out of Cloud Storage: streamed, verified by crc32c, and left alone once the job is no longer ours."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import google_crc32c
import requests
import requests.adapters
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Blob
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from shared.storage_client import open_storage

#: Objects above 8 MiB are sent in chunks of this size, which is also what one transfer holds in memory.
CHUNK_BYTES = 16 * 1024**2
#: Seconds to connect, and to wait for the next bytes.
_TIMEOUT = (10, 60)
#: Seconds for which a call is tried again.
_PATIENCE_SECONDS = 120
_RETRY = DEFAULT_RETRY.with_timeout(_PATIENCE_SECONDS)
#: Everything under an attempt's prefix is written once and never changes.
_CACHE = "private, max-age=31536000, immutable"

#: What a Cloud Storage that is away, or that sends broken bytes, looks like from here.
STORAGE_AWAY = (
    GoogleAPIError,
    GoogleAuthError,
    InvalidResponse,
    DataCorruption,
    requests.RequestException,
    ConnectionError,
)


class SourceGoneError(Exception):
    """The object, in the generation that the job is for, no longer exists."""


class AlreadyThereError(Exception):
    """An object of this name and other content exists; nothing was written."""


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An object as Cloud Storage has it."""

    generation: int
    size_bytes: int
    crc32c: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object of a bucket."""

    name: str
    generation: int
    size_bytes: int
    crc32c: str


class _Watched:
    """A file that lets a transfer go on only while ``check`` raises nothing, and sums up what is written."""

    def __init__(self, file: BinaryIO, check: Callable[[], None]) -> None:
        self._file = file
        self._check = check
        self._sum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]

    def read(self, size: int = -1) -> bytes:
        self._check()
        return self._file.read(size)

    def write(self, content: bytes) -> int:
        self._check()
        self._sum.update(content)  # type: ignore[no-untyped-call]
        return self._file.write(content)

    def crc32c(self) -> str:
        """The checksum of all that was written, as Cloud Storage puts it: base64, big-endian."""
        return base64.b64encode(self._sum.digest()).decode()  # type: ignore[no-untyped-call]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Storage:
    """The calls that a worker makes. ``check`` is called between chunks; what it raises ends the transfer."""

    def __init__(self, project: str, connections: int) -> None:
        self._client = open_storage(project)
        adapter = requests.adapters.HTTPAdapter(pool_connections=2, pool_maxsize=connections)
        for scheme in ("https://", "http://"):
            self._client._http.mount(scheme, adapter)  # noqa: SLF001 - the client has no public way to size its pool

    def fetch(
        self,
        bucket: str,
        name: str,
        generation: int,
        target: Path,
        *,
        check: Callable[[], None],
        crc32c: str | None = None,
    ) -> None:
        """Download one generation of an object and verify it.

        Raises:
            SourceGoneError: it no longer exists.
            STORAGE_AWAY: it cannot be read now, or the bytes are not those that were uploaded.
        """
        blob = self._client.bucket(bucket).blob(name, generation=generation)
        with target.open("wb") as file:
            watched = _Watched(file, check)
            try:
                blob.download_to_file(watched, raw_download=True, checksum="crc32c", timeout=_TIMEOUT, retry=_RETRY)
            except NotFound:
                raise SourceGoneError(f"gs://{bucket}/{name}#{generation}") from None
        if crc32c is not None and watched.crc32c() != crc32c:
            raise DataCorruption(None, f"gs://{bucket}/{name}#{generation} is not what was uploaded (crc32c)")

    def put(
        self,
        bucket: str,
        name: str,
        content: BinaryIO,
        *,
        content_type: str,
        metadata: Mapping[str, str],
        check: Callable[[], None],
    ) -> Uploaded:
        """Write a new object and verify what arrived.

        Raises:
            AlreadyThereError: there is an object of this name, with other content.
            STORAGE_AWAY: it cannot be written now.
        """
        size_bytes = content.seek(0, 2)
        content.seek(0)
        blob = self._client.bucket(bucket).blob(name, chunk_size=CHUNK_BYTES)
        blob.metadata = dict(metadata)
        blob.cache_control = _CACHE
        try:
            blob.upload_from_file(
                _Watched(content, check),
                size=size_bytes,
                content_type=content_type,
                if_generation_match=0,
                checksum="crc32c",
                timeout=_TIMEOUT,
                retry=_RETRY,
            )
        except (PreconditionFailed, Forbidden) as error:
            there = self.look(bucket, name)
            # Workers may not delete, which replacing would take: Cloud Storage may say so of a name that is taken.
            if there is None and isinstance(error, Forbidden):
                raise
            # The same bytes are our own, of a try whose answer was lost on the way.
            if there is None or there.crc32c != _crc32c(content):
                raise AlreadyThereError(f"gs://{bucket}/{name}") from None
            blob = there
        return Uploaded(int(blob.generation), int(blob.size), str(blob.crc32c))

    def look(self, bucket: str, name: str) -> Blob | None:
        """Return an object's metadata, None if there is none."""
        return self._client.bucket(bucket).get_blob(name, timeout=_TIMEOUT, retry=_RETRY)

    def listing(self, bucket: str, prefix: str) -> list[Listed]:
        """List the objects under a prefix as they are now, in the order of their names."""
        fields = "items(name,generation,size,crc32c),nextPageToken"
        blobs = self._client.list_blobs(bucket, prefix=prefix, fields=fields, timeout=_TIMEOUT, retry=_RETRY)
        return [Listed(blob.name, int(blob.generation), int(blob.size), str(blob.crc32c)) for blob in blobs]

    def names(self, bucket: str, prefix: str) -> set[str]:
        """List the objects under a prefix."""
        blobs = self._client.list_blobs(
            bucket, prefix=prefix, fields="items(name),nextPageToken", timeout=_TIMEOUT, retry=_RETRY
        )
        return {blob.name for blob in blobs}


def _crc32c(content: BinaryIO) -> str:
    """Sum up a file as Cloud Storage does."""
    content.seek(0)
    checksum = google_crc32c.Checksum()  # type: ignore[no-untyped-call]
    while block := content.read(CHUNK_BYTES):
        checksum.update(block)  # type: ignore[no-untyped-call]
    return base64.b64encode(checksum.digest()).decode()  # type: ignore[no-untyped-call]


def crc32c_of(path: Path) -> str:
    """Sum up a file as Cloud Storage does; of a missing one, nothing."""
    if not path.is_file():
        return ""
    with path.open("rb") as content:
        return _crc32c(content)
