"""``/batch/storage/v1``: up to 100 metadata requests in one ``multipart/mixed`` body.

https://cloud.google.com/storage/docs/batch
"""

import secrets
from collections.abc import Awaitable, Callable
from email.message import Message
from email.parser import BytesParser
from http import HTTPStatus

from aiohttp import web
from multidict import CIMultiDict

from local.gcs.call import Call
from local.gcs.errors import invalid

MAX_CALLS = 100
MAX_BYTES = 10 * 1024 * 1024


async def batch(call: Call, answer: Callable[[Call], Awaitable[web.StreamResponse]]) -> web.Response:
    """Have each part answered as if it had come alone, in order.

    Raises:
        StorageError: the body is not a batch.
    """
    parts = _parts(call.headers.get("Content-Type", ""), await _read(call))
    boundary = f"batch_{secrets.token_hex(12)}"
    out = bytearray()
    for part in parts:
        response = await answer(_inner_call(call, part))
        identifier = part.get("Content-ID", "").strip("<>")
        out += _rendered(response, identifier, boundary)
    out += f"--{boundary}--\r\n".encode()
    return web.Response(body=bytes(out), headers={"Content-Type": f"multipart/mixed; boundary={boundary}"})


async def _read(call: Call) -> bytes:
    stream, out = await call.body(), bytearray()
    while data := await stream.readany():
        out += data
        if len(out) > MAX_BYTES:
            raise invalid("The batch is larger than 10 MB.")
    return bytes(out)


def _parts(content_type: str, content: bytes) -> list[Message]:
    whole = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + content)
    payload = whole.get_payload()
    if not isinstance(payload, list):
        raise invalid("A batch needs Content-Type: multipart/mixed with a boundary")
    parts = [part for part in payload if isinstance(part, Message)]
    if len(parts) > MAX_CALLS:
        raise invalid(f"The batch has {len(parts)} calls; {MAX_CALLS} is the limit.")
    return parts


def _inner_call(call: Call, part: Message) -> Call:
    payload = part.get_payload(decode=True)
    request = payload if isinstance(payload, bytes) else b""
    first, _, rest = request.replace(b"\r\n", b"\n").partition(b"\n")
    words = first.decode().split(" ")
    if len(words) < 2:
        raise invalid("A part of the batch has no request line")
    inner = BytesParser().parsebytes(rest)
    body = inner.get_payload(decode=True)
    path, _, query = words[1].partition("?")
    if path.startswith("http"):
        path = "/" + path.split("/", 3)[-1]
    headers = CIMultiDict({"Host": call.headers.get("Host", ""), **dict(inner.items())})
    return Call(call.storage, words[0], path, query, headers, None, content=body if isinstance(body, bytes) else b"")


def _rendered(response: web.StreamResponse, identifier: str, boundary: str) -> bytes:
    if not isinstance(response, web.Response):
        raise TypeError(f"{type(response).__name__} cannot stand in a batch")
    body = response.body if isinstance(response.body, bytes) else b""
    reason = HTTPStatus(response.status).phrase
    lines = [
        f"--{boundary}",
        "Content-Type: application/http",
        f"Content-ID: <response-{identifier}>",
        "",
        f"HTTP/1.1 {response.status} {reason}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body + b"\r\n"
