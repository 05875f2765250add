"""Answers to a PUT or DELETE on a resumable session's URL, the same for both APIs but for the shape of the last one."""

from aiohttp import web

from local.gcs.call import Call, empty_reply, json_reply
from local.gcs.download import object_headers
from local.gcs.errors import no_such_upload
from local.gcs.resource import object_resource
from local.gcs.session import Session


async def receive(call: Call) -> web.Response:
    """Take the bytes of a PUT, or say how far the session is."""
    identifier = upload_id(call)
    outcome = await call.storage.sessions.receive(identifier, call)
    headers = {"X-GUploader-UploadID": identifier}
    if isinstance(outcome, Session):
        if outcome.persisted:
            headers["Range"] = f"bytes=0-{outcome.persisted - 1}"
        if call.headers.get("X-GUploader-No-308") == "yes":
            # For clients whose HTTP library takes 308 for a redirect.
            return web.Response(headers={**headers, "X-HTTP-Status-Code-Override": "308"})
        return web.Response(status=308, reason="Resume Incomplete", headers=headers)
    if call.storage.sessions.find(identifier).request.api == "json":
        return json_reply(object_resource(outcome, call.base_url), headers=headers)
    headers |= object_headers(outcome, xml=True)
    headers["Content-Type"] = "text/html; charset=UTF-8"
    return empty_reply(200, headers)


async def cancel(call: Call) -> web.Response:
    """End the session."""
    await call.storage.sessions.cancel(upload_id(call))
    return web.Response(status=499, reason="Client Closed Request")


def upload_id(call: Call) -> str:
    """The session the URL names.

    Raises:
        StorageError: none.
    """
    identifier = call.query.get("upload_id")
    if not identifier:
        raise no_such_upload()
    return identifier
