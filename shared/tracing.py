"""Which log lines belong together: one trace for each job, from the event that made it to its last attempt.

The trace's id is the job's own, so nothing has to be carried through Pub/Sub or the database, and a job that is retried
after weeks goes on with the same one. Lines about no job belong to the request during which they were written.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

#: Fields by which log lines can be found and counted, as labels: strings, whatever they are in the payload.
LABELS = ("job", "attempt", "pipeline", "worker")

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_CLOUD_TRACE = re.compile(r"([0-9a-fA-F]{32})(/.*)?")


def trace_of_job(job: object) -> str | None:
    """Return the trace of a job: its id as 32 hexadecimal digits; None if that is no job's id."""
    try:
        return uuid.UUID(str(job)).hex
    except ValueError:
        return None


def fields_of_request(header: Callable[[str, str], str]) -> dict[str, str]:
    """Return what to bind while a request is served: the trace that its caller, or Cloud Run in front of us, gave it.

    Sources: https://www.w3.org/TR/trace-context/#traceparent-header,
    https://cloud.google.com/trace/docs/trace-context#legacy-http-header
    """
    if found := _TRACEPARENT.fullmatch(header("traceparent", "")):
        return {"trace": found[1]}
    if found := _CLOUD_TRACE.fullmatch(header("X-Cloud-Trace-Context", "")):
        return {"trace": found[1].lower()}
    return {}


def joined(event: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Return what Cloud Logging is told besides, so that it shows an event in its trace and finds it by its labels.

    Source: https://cloud.google.com/logging/docs/agent/logging/configuration#special-fields
    """
    said: dict[str, Any] = {}
    trace = trace_of_job(event["job"]) if event.get("job") else event.get("trace")
    if trace:
        said["logging.googleapis.com/trace"] = f"projects/{project}/traces/{trace}"
    if labels := {name: str(event[name]) for name in LABELS if event.get(name) is not None}:
        said["logging.googleapis.com/labels"] = labels
    return said
