"""CORS as each bucket configures it: https://cloud.google.com/storage/docs/cross-origin."""

from collections.abc import Mapping, Sequence
from typing import Any

from local.gcs.buckets import find_bucket
from local.gcs.call import Call
from local.gcs.errors import StorageError

DEFAULT_MAX_AGE_SECONDS = 3600


def cors_headers(call: Call) -> dict[str, str]:
    """The headers a browser needs to let a page see the answer; none where the bucket does not allow its origin.

    A session's answers go only to the origin that started it, as in the real service.
    """
    origin, bucket_name = call.headers.get("Origin"), call.parts.get("bucket")
    if not origin or not bucket_name:
        return {}
    bucket = find_bucket(call.storage.database.reader, bucket_name)
    rules = (bucket.properties.get("cors") if bucket else None) or ()
    if "upload_id" in call.query and _session_origin(call) != origin:
        return {}
    if call.method == "OPTIONS":
        requested = [name.strip() for name in call.headers.get("Access-Control-Request-Headers", "").split(",")]
        method = call.headers.get("Access-Control-Request-Method", "")
        return preflight_headers(rules, origin, method, [name for name in requested if name])
    return response_headers(rules, origin, call.method)


def preflight_headers(
    rules: Sequence[Mapping[str, Any]], origin: str, method: str, requested: Sequence[str]
) -> dict[str, str]:
    """Permission by the first rule that allows origin, method and every requested header."""
    for rule in rules:
        allowed = {name.lower() for name in rule.get("responseHeader") or ()}
        if _allows(rule, origin, method) and all(_lists(allowed, name.lower()) for name in requested):
            headers = {
                **_origin_headers(rule, origin),
                "Access-Control-Allow-Methods": ",".join(_methods(rule, method)),
                "Access-Control-Max-Age": str(rule.get("maxAgeSeconds", DEFAULT_MAX_AGE_SECONDS)),
            }
            if requested:
                headers["Access-Control-Allow-Headers"] = ",".join(requested)
            return headers
    return {}


def response_headers(rules: Sequence[Mapping[str, Any]], origin: str, method: str) -> dict[str, str]:
    """What an answer carries, by the first rule that allows origin and method."""
    for rule in rules:
        if _allows(rule, origin, method):
            exposed = ", ".join(rule.get("responseHeader") or ())
            return {
                **_origin_headers(rule, origin),
                **({"Access-Control-Expose-Headers": exposed} if exposed else {}),
            }
    return {}


def _allows(rule: Mapping[str, Any], origin: str, method: str) -> bool:
    origins = rule.get("origin") or ()
    methods = {name.upper() for name in rule.get("method") or ()}
    return ("*" in origins or origin in origins) and ("*" in methods or method.upper() in methods)


def _lists(allowed: set[str], header: str) -> bool:
    return header in allowed or any(
        name.endswith("*") and header.startswith(name.removesuffix("*")) for name in allowed
    )


def _methods(rule: Mapping[str, Any], requested: str) -> list[str]:
    methods = [name.upper() for name in rule.get("method") or ()]
    return [requested.upper()] if "*" in methods else methods


def _origin_headers(rule: Mapping[str, Any], origin: str) -> dict[str, str]:
    if "*" in (rule.get("origin") or ()):
        return {"Access-Control-Allow-Origin": "*"}
    return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}


def _session_origin(call: Call) -> str | None:
    try:
        return call.storage.sessions.find(call.query["upload_id"]).request.origin
    except StorageError:
        return None
