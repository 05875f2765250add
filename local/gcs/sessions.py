"""Resumable uploads, the same for both APIs: what arrived stays, through cut connections and restarts.

Bytes are kept in steps of 256 KiB; the session's row says how many are durable and is all that counts after a crash.
https://cloud.google.com/storage/docs/performing-resumable-uploads
"""

import asyncio
import secrets
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field

from local.gcs import objects
from local.gcs.bodies import Bodies, BodyWriter
from local.gcs.buckets import require_bucket
from local.gcs.call import Call
from local.gcs.content_range import ContentRange, parse_content_range
from local.gcs.database import Database, Transaction, now_us
from local.gcs.digest import ExpectedDigests
from local.gcs.errors import StorageError, invalid, no_such_upload
from local.gcs.session import Session, SessionRequest, session_from_row
from local.gcs.stored import Content, StoredObject, check, check_name, find_object

#: Bytes after which a running request notes its progress, so that kill -9 costs no more.
CHECKPOINT = 16 * 1024 * 1024
#: Sessions whose file and checksum state are kept between requests.
KEPT_OPEN = 64
LIFETIME_US = 7 * 24 * 3600 * 1_000_000


@dataclass(slots=True)
class _Upload:
    """What a session has in memory: its file while it is open, and the request that is sending, if any."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    writer: BodyWriter | None = None
    sender: Call | None = None


class Sessions:
    """All resumable uploads."""

    def __init__(self, database: Database, bodies: Bodies, executor: Executor) -> None:
        self._database = database
        self._bodies = bodies
        self._executor = executor
        self._uploads: dict[str, _Upload] = {}

    async def start(self, bucket: str, name: str, request: SessionRequest) -> str:
        """Open a session and return its id.

        Raises:
            StorageError: the upload could not succeed as things stand: no bucket, a bad name, a condition, its length.
        """
        check_name(name)
        request.length_range.check(request.total)
        body = self._bodies.create()
        identifier = secrets.token_urlsafe(48)

        def change(transaction: Transaction) -> None:
            require_bucket(transaction, bucket)
            check(request.preconditions, find_object(transaction, bucket, name))
            transaction.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, 0, 'open', NULL, ?)",
                (identifier, bucket, name, body, now_us(), request.to_json()),
            )

        try:
            await self._database.write(change)
        except StorageError:
            self._bodies.delete(body)
            raise
        return identifier

    def find(self, identifier: str) -> Session:
        """Look a session up.

        Raises:
            StorageError: 404.
        """
        row = self._database.reader.execute("SELECT * FROM sessions WHERE id = ?", (identifier,)).fetchone()
        if row is None:
            raise no_such_upload()
        return session_from_row(row)

    async def receive(self, identifier: str, call: Call) -> StoredObject | Session:
        """Take what a PUT to the session carries; returns the object when it is whole, else how far the session is.

        A newer request ends an older one that still holds on to a dead connection.

        Raises:
            StorageError: the session is cancelled (499), or what came does not fit it.
        """
        length = call.headers.get("Content-Length")
        span = parse_content_range(call.headers.get("Content-Range"), int(length) if length else None)
        session = self.find(identifier)
        upload = self._uploads.setdefault(identifier, _Upload())
        if span.first is None and upload.lock.locked() and span.total != session.persisted:
            return session  # a status query disturbs nobody
        if upload.sender is not None:
            _cut(upload.sender)
        async with upload.lock:
            upload.sender = call
            try:
                return await self._receive(self.find(identifier), upload, call, span)
            except OSError as error:
                if upload.writer is not None and not isinstance(error, ConnectionError):
                    # The disk failed the writer: the next request starts over from what the row says is durable.
                    await upload.writer.release()
                    upload.writer = None
                raise
            finally:
                upload.sender = None
                if self.find(identifier).state != "open":
                    self._uploads.pop(identifier, None)
                await self._close_idle()

    async def cancel(self, identifier: str) -> None:
        """End a session and forget what arrived.

        Raises:
            StorageError: there is no such session, or it has become an object already.
        """
        self.find(identifier)
        upload = self._uploads.setdefault(identifier, _Upload())
        if upload.sender is not None:
            _cut(upload.sender)
        async with upload.lock:
            session = self.find(identifier)
            if session.state == "done":
                raise invalid("The upload is already complete.")
            await self._end(upload, session, "UPDATE sessions SET state = 'cancelled' WHERE id = ?")
        self._uploads.pop(identifier, None)

    async def expire(self, now: int) -> int:
        """Forget sessions that are a week old at ``now`` (microseconds); returns how many."""
        rows = self._database.reader.execute(
            "SELECT * FROM sessions WHERE created <= ?", (now - LIFETIME_US,)
        ).fetchall()
        for session in map(session_from_row, rows):
            upload = self._uploads.setdefault(session.id, _Upload())
            if upload.sender is not None:
                _cut(upload.sender)
            async with upload.lock:
                await self._end(upload, self.find(session.id), "DELETE FROM sessions WHERE id = ?")
            self._uploads.pop(session.id, None)
        return len(rows)

    async def close(self) -> None:
        """Wait until the requests under way have noted their progress, then let all files go."""
        for upload in self._uploads.values():
            async with upload.lock:
                if upload.writer is not None:
                    await upload.writer.release()

    async def _end(self, upload: _Upload, session: Session, statement: str) -> None:
        if upload.writer is not None:
            await upload.writer.release()
            upload.writer = None

        def change(transaction: Transaction) -> None:
            transaction.execute(statement, (session.id,))
            if session.state == "open":
                transaction.discard(session.body)

        await self._database.write(change)

    async def _receive(
        self, session: Session, upload: _Upload, call: Call, span: ContentRange
    ) -> StoredObject | Session:
        if session.state != "open":
            return self._outcome(session)
        total = _agreed_total(session, span)
        if span.first is None and (total is None or total != session.persisted):
            return session  # a question: only an upload whose every byte is here becomes an object
        if upload.writer is None:
            path = self._bodies.path(session.body)
            upload.writer = BodyWriter(path, self._executor, offset=session.persisted)
        end = session.persisted
        if span.first is not None:
            end = await self._append(session, upload.writer, call, span)
        if total is None and "Content-Range" not in call.headers:
            total = end  # the whole object in one request of unknown length: it ends where the body ends
        if total is None or end < total:
            await self._keep(session, upload.writer)
            return self.find(session.id)
        return await self._finish(session, upload, ExpectedDigests.from_headers(call.headers))

    async def _append(self, session: Session, writer: BodyWriter, call: Call, span: ContentRange) -> int:
        """Write what the request carries and the session does not have yet; returns where the request's bytes end."""
        position = span.first or 0
        noted = session.persisted
        stream = await call.body()
        try:
            while data := await stream.readany():
                span.check_within(position + len(data))
                # Bytes the session already has are skipped, whatever they are.
                fresh = data[max(0, session.persisted - position) :]
                position += len(data)
                if fresh:
                    await writer.append(fresh)
                if writer.durable - noted >= CHECKPOINT:
                    noted = writer.durable
                    await self._checkpoint(session, writer)
            span.check_complete(position)
        except BaseException:
            await self._keep(session, writer)
            raise
        return max(position, session.persisted)

    async def _keep(self, session: Session, writer: BodyWriter) -> None:
        await writer.settle()
        await self._checkpoint(session, writer)

    async def _checkpoint(self, session: Session, writer: BodyWriter) -> None:
        durable = writer.durable
        if durable != session.persisted:
            await self._database.write(
                lambda transaction: transaction.execute(
                    "UPDATE sessions SET persisted = ? WHERE id = ?", (durable, session.id)
                )
            )

    async def _finish(self, session: Session, upload: _Upload, later: ExpectedDigests) -> StoredObject:
        writer, upload.writer = upload.writer, None
        if writer is None:
            raise no_such_upload()
        try:
            digests = await writer.finish()
        finally:
            await writer.release()
        request = session.request
        request.length_range.check(writer.size)
        said = ExpectedDigests.from_resource({"crc32c": request.crc32c, "md5Hash": request.md5})
        said.also(later).check(digests)
        content = Content(session.body, writer.size, digests)

        def change(transaction: Transaction) -> StoredObject:
            stored = objects.create(
                transaction,
                session.bucket,
                session.name,
                content,
                properties=request.properties,
                preconditions=request.preconditions,
            )
            transaction.execute(
                "UPDATE sessions SET state = 'done', generation = ?, persisted = ? WHERE id = ?",
                (stored.generation, stored.size, session.id),
            )
            return stored

        return await self._database.write(change)

    def _outcome(self, session: Session) -> StoredObject:
        if session.state == "cancelled":
            raise StorageError(499, "ClientClosedRequest", "clientClosedRequest", "The upload was cancelled.")
        stored = find_object(self._database.reader, session.bucket, session.name, session.generation)
        if stored is None:
            raise StorageError(410, "Gone", "gone", "The uploaded object has been deleted or overwritten since.")
        return stored

    async def _close_idle(self) -> None:
        idle = [upload for upload in self._uploads.values() if upload.writer is not None and not upload.lock.locked()]
        for upload in idle[: max(0, len(idle) - KEPT_OPEN)]:
            writer, upload.writer = upload.writer, None
            if writer is not None:
                await writer.release()


def _agreed_total(session: Session, span: ContentRange) -> int | None:
    declared = session.request.total
    if span.total is not None and declared not in {None, span.total}:
        raise invalid(f"The upload was declared to have {declared} bytes, not {span.total}.")
    total = declared if span.total is None else span.total
    session.request.length_range.check(total)
    if span.first is not None and span.first > session.persisted:
        raise StorageError(
            503,
            "ServiceUnavailable",
            "backendError",
            f"Invalid request.  According to the Content-Range header, the upload offset is {span.first} byte(s),"
            f" which exceeds already uploaded size of {session.persisted} byte(s).",
        )
    return total


def _cut(call: Call) -> None:
    with suppress(AttributeError):  # no transport: the connection is gone already
        call.http.transport.abort()  # type: ignore[union-attr]
