"""What this server can be told to do wrong (``docs/faults.md``)."""

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import Any

import grpc

from local.faults import page
from local.faults.injection import Faults
from local.faults.plan import Rule
from local.pubsub.refusal import RefusedError
from local.pubsub.rpc import Method

KINDS = {
    "error": "answer the gRPC status `code` (UNAVAILABLE) instead of doing anything",
    "latency": "wait `delay_seconds` first",
    "hang": "never answer",
    "lose_answer": "do it, then answer `code` (UNAVAILABLE)",
    "lose_ack": "take an acknowledgement and forget it: the message comes again at its deadline",
    "duplicate": "deliver a message to somebody else, too, after `delay_seconds`",
    "delay": "keep a published message back for `delay_seconds` (not where messages are ordered)",
    "reorder": "keep a published message back for a random time up to `delay_seconds` (the same)",
    "cut_stream": "end a streaming pull with `code` (UNAVAILABLE) instead of sending on it",
}
_HANG_SECONDS = 3600.0


def troubled(faults: Faults, name: str, method: Method, *, named: str = "subscription") -> Method:
    """Let a method fail as the plan wants; ``named`` is the field of the request that says what it is about."""
    about: Callable[[Any], str] = attrgetter(named)

    async def trouble(request: Any) -> Any:
        call = f"{name} {about(request)}"
        if (rule := faults.pick("latency", call)) is not None:
            await asyncio.sleep(rule.delay_seconds)
        if faults.pick("hang", call) is not None:
            await asyncio.sleep(_HANG_SECONDS)
        if (rule := faults.pick("error", call)) is not None:
            raise refusal(rule)
        response = await method(request)
        if (rule := faults.pick("lose_answer", call)) is not None:
            raise refusal(rule)
        return response

    async def handle(request: Any) -> Any:
        return await (trouble(request) if faults.active else method(request))

    return handle


def refusal(rule: Rule) -> RefusedError:
    """The status that a rule asks for."""
    known = {code.name: code for code in grpc.StatusCode}
    code = known.get(rule.code or "UNAVAILABLE", grpc.StatusCode.UNKNOWN)
    return RefusedError(code, rule.message or "An error was asked for.")


class FaultService:
    """``spotmill.local.Faults/PUT``, ``GET`` and ``DELETE``: the page of the other servers, as gRPC calls of JSON."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def handler(self) -> grpc.GenericRpcHandler:
        """The service for a gRPC server."""
        methods = {name: grpc.unary_unary_rpc_method_handler(self._answer(name)) for name in ("PUT", "GET", "DELETE")}
        return grpc.method_handlers_generic_handler("spotmill.local.Faults", methods)

    def _answer(self, method: str) -> Any:
        async def answer(request: bytes, context: Any) -> bytes:
            status, said = page.answer(self._faults, method, request)
            if status != 200:
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, said.decode())
            return said

        return answer
