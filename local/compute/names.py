"""Names of resources: ``projects/P/zones/Z/instances/I`` and the addresses that the API gives them."""

import datetime as dt
import re

BASE = "https://www.googleapis.com/compute/v1/"

_INSTANCE = re.compile(r"(?:^|/)zones/(?P<zone>[^/]+)/instances/(?P<name>[^/]+)$")


def link(resource: str) -> str:
    return BASE + resource


def instance(text: str) -> tuple[str, str] | None:
    """Zone and name from a full or partial address of an instance."""
    match = _INSTANCE.search(text)
    return (match["zone"], match["name"]) if match else None


def timestamp(seconds: float) -> str:
    """RFC 3339, to the millisecond."""
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).isoformat(timespec="milliseconds")


def valid(name: str) -> bool:
    """Whether a resource may be called so (RFC 1035)."""
    return re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name) is not None
