"""Methods as generic gRPC handlers over raw protocol buffer classes: proto-plus wrappers would cost the most."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.message import Message

from local.pubsub.refusal import RefusedError

#: Returns a message, or the bytes of one.
Method = Callable[[Any], Awaitable[Any]]

_log = logging.getLogger(__name__)


def serialize(response: Any) -> bytes:
    """A response is spliced bytes already, or a message."""
    return response if isinstance(response, bytes) else bytes(response.SerializeToString())


def unary(request_type: type[Message], method: Method) -> grpc.RpcMethodHandler:
    """A method that runs to its end even if the client goes away: memory and disk must not part."""

    async def handle(request: Any, context: Any) -> Any:
        return await answered(context, asyncio.shield(asyncio.ensure_future(method(request))))

    return _handler(request_type, handle)


def cancellable(request_type: type[Message], method: Method) -> grpc.RpcMethodHandler:
    """A method that waits for something, and stops when the client goes away."""

    async def handle(request: Any, context: Any) -> Any:
        return await answered(context, method(request))

    return _handler(request_type, handle)


def service(name: str, methods: Mapping[str, grpc.RpcMethodHandler]) -> grpc.GenericRpcHandler:
    """All methods of one service."""
    return grpc.method_handlers_generic_handler(name, methods)


async def answered(context: Any, result: Awaitable[Any]) -> Any:
    """Await a result; a refusal or a failing disk becomes the status of the call."""
    try:
        return await result
    except RefusedError as refusal:
        await context.abort(refusal.code, str(refusal), refusal.trailing_metadata())
    except sqlite3.Error as error:
        _log.exception("pubsub.storage_failed")
        await context.abort(grpc.StatusCode.UNAVAILABLE, f"The message store failed: {error}")


def _handler(request_type: type[Message], handle: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=request_type.FromString, response_serializer=serialize
    )
