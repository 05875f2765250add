"""The JSON API's objects: metadata, content, uploads. Copies and compositions are in ``json_copies.py``."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web

from local.gcs import media, objects
from local.gcs.buckets import merge, require_bucket
from local.gcs.call import Call, empty_reply, json_reply, parse_json
from local.gcs.database import Transaction
from local.gcs.digest import ExpectedDigests
from local.gcs.download import body_response
from local.gcs.errors import invalid
from local.gcs.listing import ListQuery, list_objects
from local.gcs.resource import object_resource
from local.gcs.session import SessionRequest
from local.gcs.stored import WRITABLE, StoredObject, require_object, writable


async def get(call: Call) -> web.StreamResponse:
    """Metadata, or with ``alt=media`` content."""
    if call.query.get("alt") == "media":
        return await get_media(call)
    stored = require_object(
        call.storage.database.reader, call.bucket, call.object, call.generation, call.preconditions(), reading=True
    )
    return reply(call, stored)


async def get_media(call: Call) -> web.StreamResponse:
    """Content."""
    stored = require_object(
        call.storage.database.reader, call.bucket, call.object, call.generation, call.preconditions(), reading=True
    )
    return body_response(call, stored, xml=False)


async def list_(call: Call) -> web.StreamResponse:
    """One page of a listing."""
    require_bucket(call.storage.database.reader, call.bucket)
    query = ListQuery.from_call(call)
    page = await list_objects(call.storage, query)
    answer: dict[str, Any] = {"kind": "storage#objects"}
    if page.objects:
        answer["items"] = [object_resource(stored, call.base_url) for stored in page.objects]
    if page.prefixes:
        answer["prefixes"] = page.prefixes
    if page.next_token:
        answer["nextPageToken"] = page.next_token
    return json_reply(answer)


async def patch(call: Call) -> web.StreamResponse:
    """Merge metadata."""
    changes = await call.json()
    return await _change(call, lambda stored: _checked(merge(stored.properties, changes, WRITABLE)))


async def update(call: Call) -> web.StreamResponse:
    """Replace metadata."""
    properties = writable(await call.json())
    return await _change(
        call, lambda stored: {"storageClass": stored.properties.get("storageClass", "STANDARD"), **properties}
    )


async def delete(call: Call) -> web.StreamResponse:
    """Delete the live generation, or the one named."""
    conditions = call.preconditions()
    await call.storage.database.write(
        lambda transaction: objects.delete(transaction, call.bucket, call.object, call.generation, conditions)
    )
    return empty_reply()


async def upload(call: Call) -> web.StreamResponse:
    """Begin or make an upload, as ``uploadType`` says."""
    kind = call.query.get("uploadType")
    if kind == "media":
        return await _upload_media(call)
    if kind == "multipart":
        return await _upload_multipart(call)
    if kind == "resumable":
        return await _start_session(call)
    raise invalid(f"Unknown uploadType: {kind}")


def reply(call: Call, stored: StoredObject) -> web.Response:
    """Answer with an object's resource."""
    resource = object_resource(stored, call.base_url)
    return json_reply(resource, headers={"ETag": resource["etag"]})


async def _change(call: Call, properties: Any) -> web.Response:
    conditions = call.preconditions()

    def change(transaction: Transaction) -> StoredObject:
        stored = require_object(transaction, call.bucket, call.object, call.generation, conditions)
        return objects.change_metadata(transaction, stored, properties(stored))

    return reply(call, await call.storage.database.write(change))


def _checked(properties: dict[str, Any]) -> dict[str, Any]:
    writable(properties)
    return properties


async def _upload_media(call: Call) -> web.Response:
    require_bucket(call.storage.database.reader, call.bucket)
    properties = {"contentType": call.headers.get("Content-Type") or "application/octet-stream"}
    if call.query.get("contentEncoding"):
        properties["contentEncoding"] = call.query["contentEncoding"]
    stored = await media.store(
        call,
        call.bucket,
        _name(call, {}),
        media.plain(call),
        properties=properties,
        expected=ExpectedDigests.from_headers(call.headers),
        preconditions=call.preconditions(),
    )
    return reply(call, stored)


async def _upload_multipart(call: Call) -> web.Response:
    require_bucket(call.storage.database.reader, call.bucket)
    parts = media.Multipart(call)
    resource = parse_json(await parts.start())
    stored = await media.store(
        call,
        call.bucket,
        _name(call, resource),
        parts.pieces(),
        properties=_with_type(resource, parts.media_type),
        expected=ExpectedDigests.from_resource(resource).also(ExpectedDigests.from_headers(call.headers)),
        preconditions=call.preconditions(),
    )
    return reply(call, stored)


async def _start_session(call: Call) -> web.Response:
    resource = await call.json()
    name = _name(call, resource)
    length = call.headers.get("X-Upload-Content-Length")
    ExpectedDigests.from_resource(resource)
    session = await call.storage.sessions.start(
        call.bucket,
        name,
        SessionRequest(
            api="json",
            properties=_with_type(resource, call.headers.get("X-Upload-Content-Type")),
            preconditions=call.preconditions(),
            crc32c=resource.get("crc32c"),
            md5=resource.get("md5Hash"),
            origin=call.headers.get("Origin"),
            total=int(length) if length and length.isdigit() else None,
        ),
    )
    location = (
        f"{call.base_url}/upload/storage/v1/b/{quote(call.bucket, safe='')}/o"
        f"?uploadType=resumable&name={quote(name, safe='')}&upload_id={session}"
    )
    return empty_reply(200, {"Location": location, "X-GUploader-UploadID": session})


def _name(call: Call, resource: Mapping[str, Any]) -> str:
    name = call.query.get("name") or resource.get("name")
    if not name:
        raise invalid("Required parameter: name")
    return str(name)


def _with_type(resource: Mapping[str, Any], media_type: str | None) -> dict[str, Any]:
    properties = writable(resource)
    properties.setdefault("contentType", media_type or "application/octet-stream")
    return properties
