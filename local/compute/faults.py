"""What this server can be told to do wrong (``docs/faults.md``)."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from local.compute.errors import ApiError
from local.faults import page
from local.faults.injection import Faults

KINDS = {
    "error": "answer `status` instead of doing anything; `code` is the reason (such as rateLimitExceeded)",
    "latency": "wait `delay_seconds` first",
    "hang": "never answer",
    "lose_answer": "do it, then cut the connection instead of answering",
    "slow_operation": "hand out a RUNNING operation, and do it after `delay_seconds`",
    "failed_operation": "hand out an operation that is DONE with the error `code` (QUOTA_EXCEEDED), and change nothing",
    "stockout": "have no capacity for a new VM: `code` (ZONE_RESOURCE_POOL_EXHAUSTED) in listErrors, tried again after "
    "`delay_seconds`",
}
_HANG_SECONDS = 3600.0
_REASONS = {403: "forbidden", 429: "rateLimitExceeded", 503: "backendError"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def serve_page(faults: Faults, request: web.Request) -> web.Response:
    """Take a plan, or say what came of it."""
    status, said = page.answer(faults, request.method, await request.read())
    return web.Response(status=status, body=said, content_type="application/json")


async def troubled(faults: Faults, request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a call as the plan wants it."""
    call = f"{request.method} {request.path_qs}"
    if (rule := faults.pick("latency", call)) is not None:
        await asyncio.sleep(rule.delay_seconds)
    if faults.pick("hang", call) is not None:
        await asyncio.sleep(_HANG_SECONDS)
    if (rule := faults.pick("error", call)) is not None:
        reason = rule.code or _REASONS.get(rule.status, "backendError")
        raise ApiError(rule.status, rule.message or "An error was asked for.", reason)
    response = await handler(request)
    if faults.pick("lose_answer", call) is not None and request.transport is not None:
        request.transport.abort()
    return response
