"""People and other systems: they bring files by every way in, and change their minds about them."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests
from google.api_core.exceptions import NotFound, PreconditionFailed
from google.cloud.storage import Blob
from google.pubsub_v1 import PubsubMessage

from tests.chaos.book import Book, File, MissedError, Version
from tests.chaos.kinds import Content, content
from tests.chaos.mill import ARCHIVE, CALL_SECONDS, Mill, persist
from tests.chaos.schedule import Arrival, Deed

#: Seconds for which somebody tries to get something done.
PATIENCE_SECONDS = 180.0
#: Seconds for which somebody looks for a job on the page.
_LOOK_SECONDS = 45.0


class People:
    """All who use one mill. Every call goes on until it has succeeded: people press the button again."""

    def __init__(self, mill: Mill, book: Book, counters: Path) -> None:
        self._mill = mill
        self._book = book
        self._counters = counters

    def bring(self, arrival: Arrival) -> None:
        """Put a file where the mill finds it."""
        file = self._book.files[arrival.number]
        with file.busy:
            sent = content(arrival, 0)
            if arrival.way == "upload":
                self._upload(file, sent)
            else:
                archive = arrival.way == "ingest"
                file.bucket = ARCHIVE if archive else self._mill.cloud.settings.upload_bucket
                file.name = f"{'in' if archive else 'chaos'}/{arrival.filename}{sent.ending}"
                self._write(file, sent, 0)
            if arrival.way == "ingest":
                self._ingest(file)
        file.written.set()

    def do(self, deed: Deed) -> None:
        """Do what somebody has in mind with a file, once it is there."""
        file = self._book.files[deed.number]
        if not file.written.wait(PATIENCE_SECONDS):
            raise MissedError(f"{file.arrival.filename} never came")
        deeds: dict[str, Callable[[File], None]] = {
            "overwrite": self._overwrite,
            "delete": self._delete,
            "cancel": self._cancel,
            "cancel-retry": self._cancel_and_retry,
        }
        try:
            with file.busy:
                deeds[deed.kind](file)
        except MissedError:  # the button could not be pressed: nobody had announced the file, for one
            self._book.count(self._book.deeds, f"{deed.kind} in vain")
        else:
            self._book.count(self._book.deeds, deed.kind)

    # Ways in

    def _settings(self, file: File, version: int) -> dict[str, Any]:
        settings = dict(file.arrival.settings)
        if file.arrival.kind == "flaky":
            settings["log"] = str(self._counters / f"{file.arrival.filename}-{version}")
        return settings

    def _write(self, file: File, sent: Content, replaced: int) -> None:
        """Write a generation exactly once, whatever becomes of the answers: ``replaced`` is the one before it."""
        settings = self._settings(file, len(file.versions))
        metadata = {"pipeline": sent.pipeline} if sent.pipeline else {}
        metadata |= {"settings": json.dumps(settings)} if settings else {}

        def write() -> Blob:
            blob = self._mill.cloud.storage.bucket(file.bucket).blob(file.name)
            blob.metadata = metadata or None
            try:
                blob.upload_from_string(
                    sent.data,
                    content_type=sent.content_type or None,
                    if_generation_match=replaced,
                    timeout=CALL_SECONDS,
                    retry=None,
                )
            except PreconditionFailed:  # an earlier try has arrived, and only its answer was lost
                blob.reload(timeout=CALL_SECONDS, retry=None)
            return blob

        blob = persist(write, PATIENCE_SECONDS, f"writing {file.name}")
        file.versions.append(Version(len(file.versions), int(blob.generation)))

    def _upload(self, file: File, sent: Content) -> None:
        """Upload as the page does: ask for a signed URL, send the file there."""
        wish = {"filename": file.arrival.filename + sent.ending, "size": len(sent.data)}
        wish |= {"content_type": sent.content_type} | ({"pipeline": sent.pipeline} if sent.pipeline else {})

        def ask() -> Mapping[str, Any]:
            answer = self._mill.post("/uploads", wish)
            answer.raise_for_status()
            permit: Mapping[str, Any] = answer.json()
            return permit

        permit = persist(ask, PATIENCE_SECONDS, f"permission for {file.arrival.filename}")
        file.bucket, file.name = permit["bucket"], permit["object"]
        if permit["protocol"] == "put":
            persist(lambda: _put(permit, sent.data), PATIENCE_SECONDS, f"uploading {file.name}")
        else:
            persist(lambda: _resume(permit, sent.data), PATIENCE_SECONDS, f"uploading {file.name}")

        def look() -> int:
            blob = self._mill.cloud.storage.bucket(file.bucket).get_blob(file.name, timeout=CALL_SECONDS, retry=None)
            if blob is None:
                raise MissedError(f"{file.name} was uploaded and is not there")
            return int(blob.generation)

        file.versions.append(Version(0, persist(look, PATIENCE_SECONDS, f"looking for {file.name}")))

    def _ingest(self, file: File) -> None:
        version = file.versions[-1]
        wish = {"uri": f"gs://{file.bucket}/{file.name}", "generation": version.generation}

        def publish() -> None:
            message = PubsubMessage(data=json.dumps(wish).encode())
            topic = self._mill.cloud.topic(self._mill.cloud.settings.ingest_topic)
            self._mill.cloud.publisher.publish(topic=topic, messages=[message], timeout=CALL_SECONDS, retry=None)

        persist(publish, PATIENCE_SECONDS, f"announcing {file.name}")

    # Second thoughts

    def _overwrite(self, file: File) -> None:
        if file.versions[-1].gone:
            return
        old = file.versions[-1]
        old.gone = True
        self._write(file, content(file.arrival, len(file.versions)), old.generation)
        if file.arrival.way == "ingest":
            self._ingest(file)

    def _delete(self, file: File) -> None:
        version = file.versions[-1]
        version.gone = True

        def delete() -> None:
            blob = self._mill.cloud.storage.bucket(file.bucket).blob(file.name)
            try:
                blob.delete(if_generation_match=version.generation, timeout=CALL_SECONDS, retry=None)
            except (NotFound, PreconditionFailed):
                return

        persist(delete, PATIENCE_SECONDS, f"deleting {file.name}")

    def _find(self, file: File) -> Mapping[str, Any]:
        """Find the job on the page.

        Raises:
            MissedError: it is not there yet.
        """
        answer = self._mill.get("/jobs", q=file.arrival.filename)
        answer.raise_for_status()
        wanted = str(file.versions[-1].generation)
        for job in answer.json()["jobs"]:
            if job["object"] == file.name and job["generation"] == wanted:
                found: Mapping[str, Any] = job
                return found
        raise MissedError(f"{file.name} has no job yet")

    def _cancel(self, file: File) -> None:
        job = self._look_for(file)
        file.unsure = True
        file.cancelled = self._order(job["id"], "cancel", {"cancelled"})
        file.unsure = False

    def _cancel_and_retry(self, file: File) -> None:
        self._cancel(file)
        if file.cancelled:
            job = self._look_for(file)
            file.unsure = True
            self._order(job["id"], "retry", {"queued", "running", "succeeded", "failed"})
            file.cancelled = file.unsure = False

    def _look_for(self, file: File) -> Mapping[str, Any]:
        return persist(lambda: self._find(file), _LOOK_SECONDS, f"the job of {file.name}")

    def _order(self, job: str, verb: str, reached: set[str]) -> bool:
        """Press a button until it is known what came of it; return whether the job is where it was meant to go."""

        def order() -> bool:
            answer = self._mill.post(f"/jobs/{job}/{verb}")
            if answer.status_code == 202:
                return True
            if answer.status_code != 409:
                raise MissedError(f"{verb} answered {answer.status_code}")
            now = self._mill.get(f"/jobs/{job}")
            now.raise_for_status()
            return now.json()["status"] in reached

        return persist(order, PATIENCE_SECONDS, f"{verb} {job}")


def _put(permit: Mapping[str, Any], data: bytes) -> None:
    answer = requests.request(
        permit["method"], permit["url"], data=data, headers=permit["headers"], timeout=CALL_SECONDS
    )
    if answer.status_code != 412:  # 412: an earlier try has arrived
        answer.raise_for_status()


def _resume(permit: Mapping[str, Any], data: bytes) -> None:
    """Send a file in pieces, each from where the storage says that it is."""
    begun = requests.post(permit["url"], headers=permit["headers"], timeout=CALL_SECONDS)
    if begun.status_code == 412:
        return
    begun.raise_for_status()
    session, piece = begun.headers["Location"], max(256 * 1024, len(data) // 4 // 262144 * 262144)
    sent, sure = 0, True
    deadline = time.monotonic() + PATIENCE_SECONDS / 3
    while time.monotonic() < deadline:
        end = min(len(data), sent + piece)
        said, body = (f"bytes {sent}-{end - 1}/{len(data)}", data[sent:end]) if sure else (f"bytes */{len(data)}", b"")
        try:
            answer = requests.put(session, data=body, headers={"Content-Range": said}, timeout=CALL_SECONDS)
        except requests.RequestException:
            answer = None
        if answer is None or answer.status_code >= 500 or answer.status_code == 429:
            sure = False  # how much has arrived must be asked first
            time.sleep(0.3)
        elif answer.status_code == 308:
            sent = int(answer.headers["Range"].rsplit("-", 1)[-1]) + 1 if "Range" in answer.headers else 0
            sure = True
        elif answer.ok or answer.status_code == 412:
            return
        else:
            raise ConnectionError(f"the upload session answered {answer.status_code}")
    raise ConnectionError("the upload does not come to its end")
