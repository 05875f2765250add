"""The XML API's objects: what signed URLs lead to.

https://cloud.google.com/storage/docs/xml-api/overview
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from aiohttp import web

from local.gcs import media, objects, resumable, signature
from local.gcs.buckets import require_bucket
from local.gcs.call import Call, empty_reply
from local.gcs.digest import ExpectedDigests
from local.gcs.download import body_response, object_headers
from local.gcs.errors import StorageError, invalid
from local.gcs.length_range import LengthRange
from local.gcs.session import SessionRequest
from local.gcs.stored import StoredObject, require_object, writable

_PROPERTY_HEADERS = {
    "Content-Type": "contentType",
    "Cache-Control": "cacheControl",
    "Content-Disposition": "contentDisposition",
    "Content-Encoding": "contentEncoding",
    "Content-Language": "contentLanguage",
    "x-goog-storage-class": "storageClass",
    "x-goog-custom-time": "customTime",
}
_METADATA_PREFIX = "x-goog-meta-"


def authorize(call: Call, permission: str) -> None:
    """Let a signed request pass, and one with a bearer token, which only Google could check.

    Raises:
        StorageError: the signature is no good, or there is none at all.
    """
    if signature.is_signed(call.query, call.headers):
        signature.verify(
            call.storage.signers,
            method=call.method,
            path=call.path,
            raw_query=call.raw_query,
            headers=call.headers,
            now=datetime.now(UTC),
        )
    elif "Authorization" not in call.headers and not call.storage.allow_anonymous_xml:
        raise StorageError(
            403,
            "AccessDenied",
            "forbidden",
            "Access denied.",
            details=f"Anonymous caller does not have {permission} access to the Google Cloud Storage object."
            f" Permission '{permission}' denied on resource (or it may not exist).",
        )


async def get(call: Call) -> web.StreamResponse:
    """Content; for HEAD its headers."""
    authorize(call, "storage.objects.get")
    stored = require_object(
        call.storage.database.reader,
        call.bucket,
        call.object,
        call.generation,
        call.header_preconditions(),
        reading=True,
    )
    _check_http_conditions(call, stored)
    return body_response(call, stored, xml=True)


async def put(call: Call) -> web.StreamResponse:
    """Upload in one request, or go on with a session."""
    if "upload_id" in call.query:
        return await resumable.receive(call)
    authorize(call, "storage.objects.create")
    require_bucket(call.storage.database.reader, call.bucket)
    if "x-goog-copy-source" in call.headers:
        raise StorageError(501, "NotImplemented", "notImplemented", "Copies by XML are not supported here; use JSON.")
    length_range = LengthRange.parse(call.headers.get("x-goog-content-length-range"))
    length_range.check(_content_length(call, "Content-Length"))
    stored = await media.store(
        call,
        call.bucket,
        call.object,
        media.plain(call),
        properties=_properties(call),
        expected=ExpectedDigests.from_headers(call.headers),
        preconditions=call.header_preconditions(),
        length_range=length_range,
    )
    headers = object_headers(stored, xml=True)
    headers["Content-Type"] = "text/html; charset=UTF-8"
    return empty_reply(200, headers)


async def post(call: Call) -> web.StreamResponse:
    """Start a session."""
    if call.headers.get("x-goog-resumable") != "start":
        raise invalid("POST needs the header x-goog-resumable: start")
    authorize(call, "storage.objects.create")
    expected = ExpectedDigests.from_headers(call.headers)
    session = await call.storage.sessions.start(
        call.bucket,
        call.object,
        SessionRequest(
            api="xml",
            properties=_properties(call),
            preconditions=call.header_preconditions(),
            crc32c=expected.crc32c_base64,
            md5=expected.md5_base64,
            origin=call.headers.get("Origin"),
            total=_content_length(call, "X-Upload-Content-Length"),
            length_range=LengthRange.parse(call.headers.get("x-goog-content-length-range")),
        ),
    )
    location = f"{call.base_url}/{quote(call.bucket, safe='')}/{quote(call.object, safe='/~')}?upload_id={session}"
    return empty_reply(201, {"Location": location, "X-GUploader-UploadID": session})


async def delete(call: Call) -> web.StreamResponse:
    """Delete an object, or cancel a session."""
    if "upload_id" in call.query:
        return await resumable.cancel(call)
    authorize(call, "storage.objects.delete")
    conditions = call.header_preconditions()
    await call.storage.database.write(
        lambda transaction: objects.delete(transaction, call.bucket, call.object, call.generation, conditions)
    )
    return empty_reply()


def _content_length(call: Call, header: str) -> int | None:
    length = call.headers.get(header, "")
    return int(length) if length.isascii() and length.isdigit() else None


def _properties(call: Call) -> dict[str, Any]:
    properties: dict[str, Any] = {"contentType": "application/octet-stream"}
    for header, key in _PROPERTY_HEADERS.items():
        if call.headers.get(header):
            properties[key] = call.headers[header]
    metadata = {
        name[len(_METADATA_PREFIX) :].lower(): value
        for name, value in call.headers.items()
        if name.lower().startswith(_METADATA_PREFIX)
    }
    if metadata:
        properties["metadata"] = metadata
    return writable(properties)


def _check_http_conditions(call: Call, stored: StoredObject) -> None:
    own = object_headers(stored, xml=True)["ETag"]
    matches = call.headers.get("If-Match")
    if matches is not None and not _lists(matches, own):
        raise StorageError(412, "PreconditionFailed", "conditionNotMet", "The ETag does not match If-Match.")
    differs = call.headers.get("If-None-Match")
    if differs is not None:
        if _lists(differs, own):
            raise StorageError(304, "NotModified", "notModified", "Not Modified")
        return
    since = call.headers.get("If-Modified-Since")
    if since is not None:
        try:
            moment = parsedate_to_datetime(since)
        except ValueError:
            return
        if int(stored.updated / 1e6) <= moment.timestamp():
            raise StorageError(304, "NotModified", "notModified", "Not Modified")


def _lists(header: str, etag: str) -> bool:
    given = [item.strip().removeprefix("W/").strip('"') for item in header.split(",")]
    return "*" in given or etag.strip('"') in given
