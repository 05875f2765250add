"""The JSON API's copy, rewrite, move and compose.

Copies share the body's file: bodies never change, so copying 5 GB is one row.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from local.gcs import objects
from local.gcs.bodies import BLOCK, BodyWriter
from local.gcs.buckets import require_bucket
from local.gcs.call import Call, json_reply
from local.gcs.database import Transaction
from local.gcs.digest import Digests
from local.gcs.errors import invalid
from local.gcs.json_objects import reply
from local.gcs.precondition import Preconditions
from local.gcs.resource import object_resource
from local.gcs.stored import Content, StoredObject, check_name, require_object, writable

MAX_SOURCES = 32


async def copy(call: Call) -> web.StreamResponse:
    """Copy an object within the service."""
    return reply(call, await _copy(call))


async def rewrite(call: Call) -> web.StreamResponse:
    """Copy an object; always done in one call, so a token is never needed."""
    stored = await _copy(call)
    return json_reply(
        {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": str(stored.size),
            "objectSize": str(stored.size),
            "done": True,
            "resource": object_resource(stored, call.base_url),
        }
    )


async def move(call: Call) -> web.StreamResponse:
    """Rename an object within its bucket, in one step."""
    name = call.parts["target"]
    check_name(name)
    source_conditions, conditions = call.preconditions("ifSource"), call.preconditions()

    def change(transaction: Transaction) -> StoredObject:
        source = require_object(transaction, call.bucket, call.object, None, source_conditions)
        content = Content(source.body, source.size, source.digests, source.components)
        moved = objects.create(
            transaction, call.bucket, name, content, properties=source.properties, preconditions=conditions
        )
        if name != call.object:
            objects.delete(transaction, call.bucket, call.object)
        return moved

    return reply(call, await call.storage.database.write(change))


async def compose(call: Call) -> web.StreamResponse:
    """Make one object of up to 32; like in the real service the result has no md5."""
    request = await call.json()
    sources = request.get("sourceObjects") or []
    if not isinstance(sources, list) or not all(isinstance(source, dict) for source in sources):
        raise invalid("Invalid value for: sourceObjects")
    if not 1 <= len(sources) <= MAX_SOURCES:
        raise invalid(f"The number of source components provided ({len(sources)}) must be from 1 to {MAX_SOURCES}.")
    check_name(call.object)
    conditions = call.preconditions()
    storage = call.storage
    found = [_source(call, source) for source in sources]
    body = storage.bodies.create()
    writer = BodyWriter(storage.bodies.path(body), storage.executor)
    try:
        for source in found:
            with storage.bodies.path(source.body).open("rb", buffering=0) as file:
                while block := await asyncio.get_running_loop().run_in_executor(storage.executor, file.read, BLOCK):
                    await writer.append(block)
        digests = await writer.finish()
        components = sum(source.components or 1 for source in found)
        content = Content(body, writer.size, Digests(digests.crc32c, None), components)
        properties = {"contentType": found[0].content_type, **writable(request.get("destination") or {})}

        def change(transaction: Transaction) -> StoredObject:
            return objects.create(
                transaction, call.bucket, call.object, content, properties=properties, preconditions=conditions
            )

        return reply(call, await storage.database.write(change))
    except BaseException:
        await writer.release()
        await storage.database.write(lambda transaction: transaction.discard(body))
        raise


def _source(call: Call, source: Mapping[str, Any]) -> StoredObject:
    match = (source.get("objectPreconditions") or {}).get("ifGenerationMatch")
    try:
        generation = int(source["generation"]) if source.get("generation") else None
        conditions = Preconditions(generation_match=int(match) if match is not None else None)
    except (TypeError, ValueError) as error:
        raise invalid(f"Invalid source object: {source}") from error
    return require_object(
        call.storage.database.reader,
        call.bucket,
        str(source.get("name")),
        generation,
        conditions,
    )


async def _copy(call: Call) -> StoredObject:
    resource = await call.json()
    bucket, name = call.parts["target_bucket"], call.parts["target"]
    check_name(name)
    source_generation = call.number("sourceGeneration")
    source_conditions, conditions = call.preconditions("ifSource"), call.preconditions()

    def change(transaction: Transaction) -> StoredObject:
        source = require_object(transaction, call.bucket, call.object, source_generation, source_conditions)
        require_bucket(transaction, bucket)
        given = writable(resource)
        # Metadata in the request replaces that of the source; only the content type is inherited where none is given.
        properties = {"contentType": source.content_type, **given} if given else dict(source.properties)
        content = Content(source.body, source.size, source.digests, source.components)
        return objects.create(transaction, bucket, name, content, properties=properties, preconditions=conditions)

    return await call.storage.database.write(change)
