"""Sending an object's bytes: headers, ranges, and the kernel's sendfile from the page cache to the socket."""

import asyncio
import os
import re
import zlib
from email.utils import formatdate
from io import FileIO

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from local.gcs.bodies import BLOCK
from local.gcs.call import Call
from local.gcs.content_range import parse_range
from local.gcs.errors import invalid
from local.gcs.resource import etag
from local.gcs.stored import StoredObject

_PROPERTY_HEADERS = {
    "Cache-Control": "cacheControl",
    "Content-Disposition": "contentDisposition",
    "Content-Encoding": "contentEncoding",
    "Content-Language": "contentLanguage",
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_LINE_BREAKS = str.maketrans("\r\n\0", "   ")


class BodyResponse(web.StreamResponse):
    """Sends ``count`` bytes of an open file from ``offset``, or all of it decompressed (``gunzip``)."""

    def __init__(
        self, file: int, offset: int, count: int, *, status: int, headers: dict[str, str], gunzip: bool = False
    ) -> None:
        super().__init__(status=status, headers=headers)
        self._file = file
        self._offset = offset
        self._count = count
        self._gunzip = gunzip
        self._end_after: int | None = None
        self._reset = False

    def end_after(self, count: int, *, reset: bool) -> None:
        """Promise everything, send at most ``count`` bytes, and close or reset the connection."""
        self._end_after, self._reset = count, reset

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Send headers and content; the server calls this when the handler has returned."""
        with os.fdopen(self._file, "rb", buffering=0) as file:
            if not self._gunzip:
                self.content_length = self._count
            writer = await super().prepare(request)
            if request.method == "HEAD" or writer is None:
                return writer
            loop = asyncio.get_running_loop()
            if self._end_after is not None:
                await self._break_off(loop, request, file)
                return writer
            if self._gunzip:
                await self._inflate(loop, writer)
            elif self._count:
                transport = request.transport
                if transport is None:
                    raise ConnectionResetError("The client is gone")
                await loop.sendfile(transport, file, self._offset, self._count)
            await super().write_eof()
            return writer

    async def _break_off(self, loop: asyncio.AbstractEventLoop, request: web.BaseRequest, file: FileIO) -> None:
        transport, count = request.transport, min(self._end_after or 0, self._count)
        if transport is None:
            return
        if count:
            await loop.sendfile(transport, file, self._offset, count)
        if self._reset:
            transport.abort()
        else:
            transport.close()

    async def _inflate(self, loop: asyncio.AbstractEventLoop, writer: AbstractStreamWriter) -> None:
        inflater = zlib.decompressobj(wbits=31)
        position = 0
        while block := await loop.run_in_executor(None, os.pread, self._file, BLOCK // 4, position):
            position += len(block)
            while block:
                # Bounded output: a block of zeros inflates a thousandfold.
                data = await loop.run_in_executor(None, inflater.decompress, block, BLOCK)
                block = inflater.unconsumed_tail
                if data:
                    await writer.write(data)
        if rest := inflater.flush():
            await writer.write(rest)


def object_headers(stored: StoredObject, *, xml: bool) -> dict[str, str]:
    """The headers both APIs send with an object."""
    digests = stored.digests
    hashes = f"crc32c={digests.crc32c_base64}" + (f",md5={digests.md5_base64}" if digests.md5 is not None else "")
    quoted = digests.md5.hex() if xml and digests.md5 is not None else etag(stored.generation, stored.metageneration)
    headers = {
        "Content-Type": stored.content_type,
        "ETag": f'"{quoted}"' if xml else quoted,
        "Last-Modified": formatdate(stored.updated / 1e6, usegmt=True),
        "Accept-Ranges": "bytes",
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": str(stored.metageneration),
        "x-goog-hash": hashes,
        "x-goog-storage-class": str(stored.properties.get("storageClass", "STANDARD")),
        "x-goog-stored-content-encoding": str(stored.properties.get("contentEncoding") or "identity"),
        "x-goog-stored-content-length": str(stored.size),
    }
    for header, key in _PROPERTY_HEADERS.items():
        if stored.properties.get(key):
            headers[header] = str(stored.properties[key])
    if stored.components is not None:
        headers["x-goog-component-count"] = str(stored.components)
    for name, value in stored.custom_metadata.items():
        if _TOKEN.fullmatch(name):  # any other name would break the answer for every HTTP library
            headers[f"x-goog-meta-{name}"] = value
    return {name: value.translate(_NO_LINE_BREAKS) for name, value in headers.items()}


def body_response(call: Call, stored: StoredObject, *, xml: bool) -> web.StreamResponse:
    """Answer with an object's content, or the part that ``Range`` asks for.

    Raises:
        StorageError: there is no such part.
        FileNotFoundError: the object was deleted a moment ago.
    """
    if call.http is None:
        raise invalid("Media cannot be downloaded in a batch")
    headers = object_headers(stored, xml=xml)
    headers.setdefault("Cache-Control", "private, max-age=0" if xml else "no-cache, no-store, max-age=0")
    for parameter, header in (
        ("response-content-type", "Content-Type"),
        ("response-content-disposition", "Content-Disposition"),
    ):
        if call.query.get(parameter):
            headers[header] = call.query[parameter].translate(_NO_LINE_BREAKS)
    gunzip = stored.properties.get("contentEncoding") == "gzip" and "gzip" not in call.headers.get(
        "Accept-Encoding", ""
    )
    if gunzip:
        # Decompressive transcoding: the length is unknown and ranges make no sense, as in the real service.
        del headers["Content-Encoding"]
        headers["Warning"] = '214 UploadServer "gunzipped"'
    span = None if gunzip else parse_range(call.headers.get("Range"), stored.size)
    first, last = span or (0, stored.size - 1)
    if span is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{stored.size}"
    file = os.open(call.storage.bodies.path(stored.body), os.O_RDONLY)
    return BodyResponse(file, first, last - first + 1, status=206 if span else 200, headers=headers, gunzip=gunzip)
