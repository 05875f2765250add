"""One request as the handlers see it, whether it came alone or inside a batch, and what they answer with."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from local.gcs.errors import StorageError, invalid
from local.gcs.precondition import Preconditions

if TYPE_CHECKING:
    from local.gcs.storage import Storage

#: No metadata request is larger; bodies of objects never pass through here.
MAX_JSON_BYTES = 8 * 1024 * 1024


class Piecewise(Protocol):
    """A body that is read in the pieces it arrives in."""

    async def readany(self) -> bytes:
        """Return the next piece; nothing at the end."""


@dataclass(slots=True)
class Call:
    """A request. ``path`` and ``raw_query`` are as sent, still percent-encoded: signatures are made over them."""

    storage: "Storage"
    method: str
    path: str
    raw_query: str
    headers: Mapping[str, str]
    #: Where the body comes from; None inside a batch, where ``content`` holds it.
    http: web.BaseRequest | None
    content: bytes | None = None
    #: What the route's pattern found in the path, decoded.
    parts: dict[str, str] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)
    #: Faults that were asked for: what to answer instead of anything else, and what becomes of the body.
    refusal: StorageError | None = None
    interrupt: Callable[[Piecewise], Piecewise] | None = None

    def __post_init__(self) -> None:
        self.query = dict(parse_qsl(self.raw_query, keep_blank_values=True))

    def check_refusal(self) -> None:
        """Raise the refusal that a fault asked for, if one did."""
        if self.refusal is not None:
            raise self.refusal

    @property
    def base_url(self) -> str:
        """The scheme and host this client reached us by: links in answers lead back the same way."""
        return f"http://{self.headers.get('Host') or self.storage.address}"

    @property
    def bucket(self) -> str:
        """The bucket the path names."""
        return self.parts["bucket"]

    @property
    def object(self) -> str:
        """The object the path names."""
        return self.parts["object"]

    @property
    def generation(self) -> int | None:
        """The generation the query names."""
        return self.number("generation")

    def number(self, name: str, default: int | None = None) -> int | None:
        """A whole number of the query.

        Raises:
            StorageError: it is not one.
        """
        text = self.query.get(name)
        if text is None or text == "":
            return default
        if not (text.isascii() and text.isdigit()):
            raise invalid(f"Invalid value '{text}' for query parameter {name}")
        return int(text)

    def flag(self, name: str) -> bool:
        """A yes or no of the query; Python's client writes True, others true."""
        return self.query.get(name, "").lower() == "true"

    def preconditions(self, prefix: str = "if") -> Preconditions:
        """The conditions in the query.

        Raises:
            StorageError: one is not a number.
        """
        try:
            return Preconditions.from_query(self.query, prefix)
        except ValueError as error:
            raise invalid(str(error)) from error

    def header_preconditions(self) -> Preconditions:
        """The conditions in the headers.

        Raises:
            StorageError: one is not a number.
        """
        try:
            return Preconditions.from_headers(self.headers)
        except ValueError as error:
            raise invalid(str(error)) from error

    async def body(self) -> Piecewise:
        """The request's body as a stream; a client that waits for permission to send it gets it now.

        Only what comes after authorization and early conditions calls this, so a refused client sends nothing.
        """
        if self.http is None:
            raise invalid("Media cannot be sent in a batch")
        if self.headers.get("Expect", "").lower() == "100-continue":
            await self.http.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.http.writer.output_size = 0  # the answer's own headers are still to come
        return self.http.content if self.interrupt is None else self.interrupt(self.http.content)

    async def json(self) -> dict[str, Any]:
        """The request's body as a JSON object; nothing sent is an empty one.

        Raises:
            StorageError: it is something else.
        """
        if self.content is None:
            stream, chunks, size = await self.body(), [], 0
            while chunk := await stream.readany():
                size += len(chunk)
                if size > MAX_JSON_BYTES:
                    raise StorageError(413, "EntityTooLarge", "uploadTooLarge", "The metadata is too large.")
                chunks.append(chunk)
            self.content = b"".join(chunks)
        return parse_json(self.content)

    def match(self, groups: Mapping[str, str | None]) -> None:
        """Take what a route's pattern found."""
        self.parts = {name: unquote(value) for name, value in groups.items() if value is not None}


def parse_json(content: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StorageError: it is something else.
    """
    if not content.strip():
        return {}
    try:
        value = json.loads(content)
    except ValueError as error:
        raise StorageError(400, "InvalidArgument", "parseError", "Parse Error") from error
    if not isinstance(value, dict):
        raise StorageError(400, "InvalidArgument", "parseError", "Parse Error: not an object")
    return value


def json_reply(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with JSON."""
    return web.Response(
        status=status,
        body=json.dumps(value).encode(),
        headers={"Content-Type": "application/json; charset=UTF-8", "Cache-Control": "no-cache", **(headers or {})},
    )


def empty_reply(status: int = 204, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with nothing but headers."""
    return web.Response(status=status, headers=headers)
