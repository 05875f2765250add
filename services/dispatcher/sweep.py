"""Deleting what nobody needs from the result bucket: outputs of attempts that lost, and steps of jobs that are over."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

import requests
import structlog
from google.api_core.exceptions import GoogleAPIError, from_http_status
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.retry import DEFAULT_RETRY

from services.dispatcher import leftovers
from services.dispatcher.backends import Backends
from services.dispatcher.leftovers import Leftover
from shared.objects import attempt_prefix, steps_prefix

#: Attempts whose files are deleted before that is noted.
_ATTEMPTS = 100
#: Objects of one prefix that are listed at once; what has more is looked at again.
_OBJECTS = 500
#: Deletions that Cloud Storage takes in one request (https://cloud.google.com/storage/docs/batch).
_DELETIONS = 100
#: Calls to Cloud Storage side by side.
_SIDE_BY_SIDE = 8
#: Seconds that one call may take, and for which it is tried.
_DEADLINE_SECONDS = 10
_RETRY = DEFAULT_RETRY.with_timeout(_DEADLINE_SECONDS)
_STORAGE_AWAY = (GoogleAPIError, GoogleAuthError, requests.RequestException, ConnectionError)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep has done: attempts of which nothing is left, objects that were deleted."""

    attempts: int
    objects: int


@dataclass(frozen=True, slots=True)
class _Found:
    """An object to delete in this generation, and whose it is."""

    leftover: Leftover
    name: str
    generation: int


def sweep(backends: Backends, *, seconds: float) -> Swept:
    """Delete what is due, for so many seconds at most; return how much that was.

    Safe to run twice at once: both delete the same generations, and the second finds them gone. While Cloud Storage is
    away, everything is left for the next time.
    """
    attempts, until = 0, time.monotonic() + seconds
    with ThreadPoolExecutor(_SIDE_BY_SIDE, "sweep") as pool:
        broom = _Broom(backends, pool)
        try:
            while time.monotonic() < until and (due := _due(backends)):
                attempts += broom.clear(due)
        except _STORAGE_AWAY as error:
            log.warning("sweep.paused", error=f"{type(error).__name__}: {error}")
    if attempts or broom.deleted:
        log.info("sweep.done", attempts=attempts, objects=broom.deleted)
    return Swept(attempts, broom.deleted)


def _due(backends: Backends) -> list[Leftover]:
    settings = backends.settings
    with backends.engine.connect() as connection:
        return leftovers.due(
            connection,
            settle_seconds=settings.sweep_after_seconds,
            retention_seconds=settings.steps_retention_days * 86400,
            most=_ATTEMPTS,
        )


class _Broom:
    """Lists and deletes, several calls side by side."""

    def __init__(self, backends: Backends, pool: ThreadPoolExecutor) -> None:
        self._backends = backends
        self._client = backends.storage
        self._bucket = backends.storage.bucket(backends.settings.result_bucket)
        self._pool = pool
        self.deleted = 0

    def clear(self, due: Sequence[Leftover]) -> int:
        """Delete what these have left, and note it; return of how many nothing is left.

        Raises whatever Cloud Storage raises while it is away; what was deleted until then is found gone next time.
        """
        unfinished: set[Leftover] = set()
        refused: set[Leftover] = set()
        found: list[_Found] = []
        for leftover, listed in zip(due, self._pool.map(self._list, due), strict=True):
            found += listed
            if len(listed) >= _OBJECTS:
                unfinished.add(leftover)
        batches = [found[n : n + _DELETIONS] for n in range(0, len(found), _DELETIONS)]
        for one, status in chain.from_iterable(self._pool.map(self._delete, batches)):
            if status == HTTPStatus.NO_CONTENT:
                self.deleted += 1
            elif status == HTTPStatus.PRECONDITION_FAILED:  # written anew since: the next round finds it
                unfinished.add(one.leftover)
            elif status != HTTPStatus.NOT_FOUND:
                log.warning("sweep.refused", object=one.name, status=status)
                refused.add(one.leftover)
        done = [one for one in due if one not in unfinished | refused]
        with self._backends.engine.begin() as connection:
            leftovers.swept(connection, done)
            leftovers.put_off(connection, list(refused))
        return len(done)

    def _list(self, leftover: Leftover) -> list[_Found]:
        prefixes = [attempt_prefix(leftover.job, leftover.attempt)] if leftover.outputs else []
        prefixes += [steps_prefix(leftover.job)] if leftover.steps else []
        blobs = chain.from_iterable(
            self._client.list_blobs(
                self._bucket,
                prefix=prefix,
                max_results=_OBJECTS,
                fields="items(name,generation),nextPageToken",
                timeout=_DEADLINE_SECONDS,
                retry=_RETRY,
            )
            for prefix in prefixes
        )
        return [_Found(leftover, blob.name, int(blob.generation)) for blob in blobs]

    def _delete(self, found: Sequence[_Found]) -> list[tuple[_Found, int]]:
        """Delete at most ``_DELETIONS`` objects in the generations that were listed; return what came of each."""
        batch = self._client.batch(raise_exception=False)
        with batch:
            for one in found:
                self._bucket.blob(one.name).delete(if_generation_match=one.generation, timeout=_DEADLINE_SECONDS)
        statuses = [answer.status_code for answer in batch._responses]  # noqa: SLF001 - as in Google's own samples
        for status in statuses:
            if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise from_http_status(status, "a deletion within a batch")  # type: ignore[no-untyped-call]
        return list(zip(found, statuses, strict=True))
