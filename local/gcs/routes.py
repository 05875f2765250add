"""Which handler a request goes to. Patterns see the path as it was sent: a slash inside a name stands as %2F."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from local.faults import page
from local.gcs import json_buckets, json_copies, json_objects, lifecycle, resumable, xml_objects
from local.gcs.call import Call, empty_reply, json_reply
from local.gcs.errors import StorageError, invalid

Handler = Callable[[Call], Awaitable[web.StreamResponse]]


async def health(_call: Call) -> web.StreamResponse:
    """Ready."""
    return json_reply({"status": "ok"})


async def preflight(_call: Call) -> web.StreamResponse:
    """The permission, if any, is in the headers that every answer gets."""
    return empty_reply(200)


async def run_lifecycle(call: Call) -> web.StreamResponse:
    """Apply lifecycle rules at once, as of ``now`` (RFC 3339) if it is given: tests need not wait for days."""
    try:
        now = datetime.fromisoformat(call.query["now"]) if "now" in call.query else datetime.now(UTC)
    except ValueError as error:
        raise invalid(f"Invalid now: {call.query['now']}") from error
    if now.tzinfo is None:
        raise invalid(f"Invalid now: {call.query['now']} has no time zone")
    return json_reply({"changed": await lifecycle.apply(call.storage, now)})


async def faults(call: Call) -> web.StreamResponse:
    """Take a plan of faults, or say what came of it."""
    body = await call.http.read() if call.http is not None else b""
    status, said = page.answer(call.storage.faults, call.method, body)
    return web.Response(status=status, body=said, content_type="application/json")


#: Paths that belong to this server and not to Cloud Storage.
CONTROL_PATHS = "/_spotmill/"
_BUCKETS = "/storage/v1/b"
_BUCKET = f"{_BUCKETS}/(?P<bucket>[^/]+)"
_OBJECT = f"{_BUCKET}/o/(?P<object>[^/]+)"
_TARGET = "b/(?P<target_bucket>[^/]+)/o/(?P<target>[^/]+)"
_UPLOAD = "(?:/resumable)?/upload/storage/v1/b/(?P<bucket>[^/]+)/o"
_XML_OBJECT = "/(?P<bucket>[^/]+)/(?P<object>.+)"

_HANDLERS: list[tuple[str, dict[str, Handler]]] = [
    (_OBJECT, {
        "GET": json_objects.get,
        "PATCH": json_objects.patch,
        "PUT": json_objects.update,
        "DELETE": json_objects.delete,
    }),
    (f"/download{_OBJECT}", {"GET": json_objects.get_media, "HEAD": json_objects.get_media}),
    (_UPLOAD, {"POST": json_objects.upload, "PUT": resumable.receive, "DELETE": resumable.cancel}),
    (f"{_BUCKET}/o/?", {"GET": json_objects.list_}),
    (f"{_OBJECT}/copyTo/{_TARGET}", {"POST": json_copies.copy}),
    (f"{_OBJECT}/rewriteTo/{_TARGET}", {"POST": json_copies.rewrite}),
    (f"{_OBJECT}/moveTo/o/(?P<target>[^/]+)", {"POST": json_copies.move}),
    (f"{_OBJECT}/compose", {"POST": json_copies.compose}),
    (f"{_BUCKETS}/?", {"GET": json_buckets.list_, "POST": json_buckets.insert}),
    (_BUCKET, {
        "GET": json_buckets.get,
        "PATCH": json_buckets.patch,
        "PUT": json_buckets.update,
        "DELETE": json_buckets.delete,
    }),
    (f"{_BUCKET}/notificationConfigs", {
        "GET": json_buckets.list_notifications,
        "POST": json_buckets.insert_notification,
    }),
    (f"{_BUCKET}/notificationConfigs/(?P<notification>[^/]+)", {
        "GET": json_buckets.get_notification,
        "DELETE": json_buckets.delete_notification,
    }),
    ("/storage/v1/projects/(?P<project>[^/]+)/serviceAccount", {"GET": json_buckets.service_account}),
    ("/(?:_spotmill/health)?", {"GET": health, "HEAD": health}),
    ("/_spotmill/lifecycle", {"POST": run_lifecycle}),
    (page.PATH, {"GET": faults, "PUT": faults, "DELETE": faults}),
    (_XML_OBJECT, {
        "GET": xml_objects.get,
        "HEAD": xml_objects.get,
        "PUT": xml_objects.put,
        "POST": xml_objects.post,
        "DELETE": xml_objects.delete,
    }),
]  # fmt: skip
#: Tried in order; the XML API, whose paths could be anything, comes last.
ROUTES = [(re.compile(pattern), handlers) for pattern, handlers in _HANDLERS]
_OWN_PATHS = re.compile(r"/(?:storage/v1|(?:resumable/)?upload/storage/v1|download/storage/v1|batch|_spotmill)(?:/|$)")


def speaks_json(path: str) -> bool:
    """Tell whether a path belongs to the JSON API and errors are to be answered in its form."""
    return _OWN_PATHS.match(path) is not None or path == "/"


def route(call: Call) -> Handler:
    """Find the handler and put what the path names into ``call.parts``.

    Raises:
        StorageError: nothing here goes by this path (404) or method (405).
    """
    for pattern, handlers in ROUTES:
        match = pattern.fullmatch(call.path)
        if match is None or (pattern.pattern == _XML_OBJECT and speaks_json(call.path)):
            continue
        call.match(match.groupdict())
        if call.method == "OPTIONS":
            return preflight
        if call.method not in handlers:
            raise StorageError(
                405, "MethodNotAllowed", "methodNotAllowed", f"{call.method} is not allowed on {call.path}"
            )
        return handlers[call.method]
    raise StorageError(404, "NotFound", "notFound", f"Nothing is served at {call.method} {call.path}")
