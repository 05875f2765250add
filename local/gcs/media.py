"""Uploads in one request: the whole body as media, or ``multipart/related`` with metadata before the media."""

from collections.abc import AsyncIterator, Mapping
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from local.gcs import objects
from local.gcs.bodies import BodyWriter
from local.gcs.call import Call, Piecewise
from local.gcs.database import Transaction
from local.gcs.digest import ExpectedDigests
from local.gcs.errors import invalid
from local.gcs.length_range import LengthRange
from local.gcs.precondition import Preconditions
from local.gcs.stored import Content, StoredObject, check_name

MAX_METADATA_BYTES = 1024 * 1024


async def plain(call: Call) -> AsyncIterator[bytes]:
    """The request's body in the pieces it arrives in."""
    stream = await call.body()
    while data := await stream.readany():
        yield data


async def store(
    call: Call,
    bucket: str,
    name: str,
    pieces: AsyncIterator[bytes],
    *,
    properties: Mapping[str, Any],
    expected: ExpectedDigests,
    preconditions: Preconditions,
    length_range: LengthRange | None = None,
) -> StoredObject:
    """Receive an object.

    Raises:
        StorageError: what came is not what was announced, or a condition does not hold; nothing is kept.
    """
    check_name(name)
    storage = call.storage
    body = storage.bodies.create()
    writer = BodyWriter(storage.bodies.path(body), storage.executor)
    try:
        async for data in pieces:
            await writer.append(data)
        (length_range or LengthRange()).check(writer.received)
        digests = await writer.finish()
        expected.check(digests)
        content = Content(body, writer.size, digests)

        def change(transaction: Transaction) -> StoredObject:
            return objects.create(
                transaction, bucket, name, content, properties=properties, preconditions=preconditions
            )

        return await storage.database.write(change)
    except BaseException:
        await writer.release()
        await storage.database.write(lambda transaction: transaction.discard(body))
        raise


class Multipart:
    """Reads ``multipart/related``: first ``start`` for the headers and the metadata, then ``pieces`` for the media."""

    def __init__(self, call: Call) -> None:
        header = Message()
        header["Content-Type"] = call.headers.get("Content-Type", "")
        boundary = header.get_boundary()
        if header.get_content_maintype() != "multipart" or not boundary:
            raise invalid("A multipart upload needs Content-Type: multipart/related with a boundary")
        self._delimiter = b"\r\n--" + boundary.encode()
        self._call = call
        self._stream: Piecewise | None = None
        # The first delimiter stands at the very start: with this it is like the others.
        self._buffer = b"\r\n"
        self.media_type: str | None = None

    async def start(self) -> bytes:
        """The metadata part; afterwards ``media_type`` is the media part's content type, if it has one.

        Raises:
            StorageError: the body is not what it says it is.
        """
        await self._until(self._delimiter)
        await self._until(b"\r\n\r\n")
        metadata = await self._until(self._delimiter)
        headers = BytesHeaderParser().parsebytes((await self._until(b"\r\n\r\n")).lstrip())
        self.media_type = headers.get("Content-Type")
        return metadata

    async def pieces(self) -> AsyncIterator[bytes]:
        """The media in pieces, up to the closing delimiter.

        Raises:
            StorageError: the body ends before the media does.
        """
        delimiter = self._delimiter
        # An empty media part: its delimiter's line break is the one that ended the headers.
        self._buffer = b"\r\n" + self._buffer
        skip = 2
        while (at := self._buffer.find(delimiter)) < 0:
            # Whatever may be the beginning of the delimiter waits for what follows it.
            safe = len(self._buffer) - len(delimiter) + 1
            if safe > skip:
                yield self._buffer[skip:safe]
                self._buffer, skip = self._buffer[safe:], 0
            await self._more()
        if at > skip:
            yield self._buffer[skip:at]
        while await self._read():
            pass  # the end mark and whatever follows it

    async def _until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            if len(self._buffer) > MAX_METADATA_BYTES:
                raise invalid("The metadata part of the multipart upload is too large")
            await self._more()
        found, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return found

    async def _more(self) -> None:
        data = await self._read()
        if not data:
            raise invalid("The multipart body ends before its closing delimiter")
        self._buffer += data

    async def _read(self) -> bytes:
        if self._stream is None:
            self._stream = await self._call.body()
        return await self._stream.readany()
