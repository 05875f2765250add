"""What this server can be told to do wrong (``docs/faults.md``)."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from local.faults.injection import Faults
from local.faults.plan import Rule
from local.gcs.call import Call, Piecewise
from local.gcs.download import BodyResponse
from local.gcs.errors import StorageError

KINDS = {
    "error": "answer `status` (with `retry_after_seconds`) instead of doing anything",
    "latency": "wait `delay_seconds` first",
    "hang": "never answer",
    "lose_answer": "do it, then cut the connection instead of answering",
    "cut_upload": "cut the connection after `after_bytes` of the request's body, or at its end",
    "disk_full": "refuse with 503 after `after_bytes` of the request's body, or at its end",
    "cut_download": "cut the connection (a reset) after `after_bytes` of an object's content",
    "truncate": "end the connection as if all were well after `after_bytes` of an object's content",
}
_HANG_SECONDS = 3600.0
_CODES = {429: ("TooManyRequests", "rateLimitExceeded"), 403: ("AccessDenied", "forbidden")}


class Interrupted:
    """A request's body that comes to a bad end."""

    def __init__(self, stream: Piecewise, rule: Rule, call: Call) -> None:
        self._stream = stream
        self._rule = rule
        self._call = call
        self._left = rule.after_bytes

    async def readany(self) -> bytes:
        """Return the next bytes, or do what the rule says.

        Raises:
            ConnectionResetError: the connection was cut.
            StorageError: the disk is full.
        """
        data = await self._stream.readany() if self._left else b""
        data = data[: self._left]
        self._left -= len(data)
        if data:
            return data
        if self._rule.fault == "disk_full":
            raise _refusal(self._rule, "There is no space left on the device.")
        _cut(self._call)
        raise ConnectionResetError("cut on purpose")


async def troubled(
    faults: Faults, call: Call, answer: Callable[[Call], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a call as the plan wants it."""
    said = f"{call.method} {call.path}?{call.raw_query}"
    if (rule := faults.pick("latency", said)) is not None:
        await asyncio.sleep(rule.delay_seconds)
    if faults.pick("hang", said) is not None:
        await asyncio.sleep(_HANG_SECONDS)
    if (rule := faults.pick("error", said)) is not None:
        call.refusal = _refusal(rule, "An error was asked for.")
        response = await answer(call)
        if rule.retry_after_seconds is not None:
            response.headers["Retry-After"] = str(rule.retry_after_seconds)
        return response
    if call.method in {"POST", "PUT"}:
        cut = faults.pick("cut_upload", said) or faults.pick("disk_full", said)
        if cut is not None:
            call.interrupt = lambda stream: Interrupted(stream, cut, call)
    response = await answer(call)
    _spoil(faults, said, call, response)
    return response


def _spoil(faults: Faults, said: str, call: Call, response: web.StreamResponse) -> None:
    if faults.pick("lose_answer", said) is not None:
        _cut(call)
    elif isinstance(response, BodyResponse):
        if (rule := faults.pick("cut_download", said)) is not None:
            response.end_after(rule.after_bytes, reset=True)
        elif (rule := faults.pick("truncate", said)) is not None:
            response.end_after(rule.after_bytes, reset=False)


def _refusal(rule: Rule, message: str) -> StorageError:
    name = HTTPStatus(rule.status).phrase.replace(" ", "") if rule.status in set(HTTPStatus) else "Error"
    code, reason = _CODES.get(rule.status, (name, "backendError"))
    return StorageError(rule.status, rule.code or code, reason, rule.message or message)


def _cut(call: Call) -> None:
    transport = call.http.transport if call.http is not None else None
    if transport is not None:
        transport.abort()
