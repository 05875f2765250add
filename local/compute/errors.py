"""Errors in the JSON shape of Google's REST APIs (https://cloud.google.com/apis/design/errors#http_mapping)."""

from dataclasses import dataclass
from typing import Any

REASONS = {400: "invalid", 404: "notFound", 409: "alreadyExists", 500: "backendError", 501: "notImplemented"}


@dataclass
class ApiError(Exception):
    """A call that is refused. ``reason`` as Compute names it, such as ``resourceNotReady``."""

    code: int
    message: str
    reason: str = ""

    def body(self) -> dict[str, Any]:
        reason = self.reason or REASONS[self.code]
        detail = {"message": self.message, "domain": "global", "reason": reason}
        return {"error": {"code": self.code, "message": self.message, "errors": [detail]}}


def not_found(resource: str) -> ApiError:
    """``resource`` as in ``projects/p/zones/z/instances/i``."""
    return ApiError(404, f"The resource '{resource}' was not found")


def invalid(field: str, value: object, why: str) -> ApiError:
    return ApiError(400, f"Invalid value for field '{field}': '{value}'. {why}")
