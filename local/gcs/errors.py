"""What Cloud Storage answers when it refuses, in the shapes of both its APIs.

Codes and texts: https://cloud.google.com/storage/docs/xml-api/reference-status and
https://cloud.google.com/storage/docs/json_api/v1/status-codes.
"""

import json
from xml.sax.saxutils import escape

from aiohttp import web

from local.gcs.precondition import PreconditionError


class StorageError(Exception):
    """A refusal: HTTP status, the XML API's code, the JSON API's reason, a message, and perhaps more XML elements."""

    def __init__(
        self,
        status: int,
        code: str,
        reason: str,
        message: str,
        *,
        details: str | None = None,
        elements: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason
        self.message = message
        self.elements = {**({"Details": details} if details else {}), **(elements or {})}

    def as_json(self) -> web.Response:
        """The JSON API's error body."""
        if self.status == 304:
            return web.Response(status=304)
        error = {"message": self.message, "domain": "global", "reason": self.reason}
        body = {"error": {"code": self.status, "message": self.message, "errors": [error]}}
        return web.Response(
            status=self.status,
            body=json.dumps(body).encode(),
            headers={"Content-Type": "application/json; charset=UTF-8"},
        )

    def as_xml(self) -> web.Response:
        """The XML API's error body."""
        if self.status == 304:
            return web.Response(status=304)
        parts = {"Code": self.code, "Message": self.message, **self.elements}
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in parts.items())
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error>{inner}</Error>"
        return web.Response(
            status=self.status, body=body.encode(), headers={"Content-Type": "application/xml; charset=UTF-8"}
        )


def no_such_bucket(bucket: str) -> StorageError:
    """404 for a bucket."""
    return StorageError(404, "NoSuchBucket", "notFound", "The specified bucket does not exist.", details=bucket)


def no_such_object(bucket: str, name: str, generation: int | None = None) -> StorageError:
    """404 for an object, or for one generation of it."""
    which = f"{bucket}/{name}" + (f"#{generation}" if generation is not None else "")
    return StorageError(
        404, "NoSuchKey", "notFound", f"No such object: {which}", elements={"Details": f"No such object: {which}"}
    )


def no_such_upload() -> StorageError:
    """404 for a resumable session that never was, or is long gone."""
    return StorageError(404, "NoSuchUpload", "notFound", "The requested upload was not found.")


def invalid(message: str, *, code: str = "InvalidArgument") -> StorageError:
    """400 for what cannot be understood."""
    return StorageError(400, code, "invalid", message)


def unmet(error: PreconditionError) -> StorageError:
    """412, or 304 where a not-match condition guards a read."""
    if error.not_modified:
        return StorageError(304, "NotModified", "notModified", "Not Modified")
    return StorageError(
        412,
        "PreconditionFailed",
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        details=error.condition,
    )
