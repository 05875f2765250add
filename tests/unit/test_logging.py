"""Log lines as Cloud Logging reads them."""

import json
import subprocess
import sys
import uuid
from typing import Any

import pytest

from shared.tracing import fields_of_request, trace_of_job

JOB = uuid.UUID("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def logged(*statements: str) -> list[dict[str, Any]]:
    """Run statements in a process of their own, as logging is set up once for a process; return what they logged."""
    setup = (
        "import structlog",
        "from shared import logging",
        "logging.configure('worker', log_format='json', project='a-project')",
        "log = structlog.get_logger()",
    )
    code = "\n".join([*setup, *statements])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_about_a_job_is_in_the_jobs_trace() -> None:
    """The trace is the job's id, and job, attempt, pipeline and worker are labels; the fields stay what they are."""
    [line] = logged(
        f"held = log.bind(job='{JOB}', attempt=2, pipeline='image', worker='vm/1')",
        "held.warning('job.released', seconds=1.5)",
    )
    assert line["message"] == "job.released"
    assert line["severity"] == "WARNING"
    assert line["process"] == "worker"
    assert line["attempt"] == 2
    assert line["logging.googleapis.com/trace"] == f"projects/a-project/traces/{JOB.hex}"
    labels = {"job": str(JOB), "attempt": "2", "pipeline": "image", "worker": "vm/1"}
    assert line["logging.googleapis.com/labels"] == labels


def test_other_lines_are_in_the_trace_of_their_request() -> None:
    """What says nothing about a job belongs to the request; what does, to the job."""
    request, job = logged(
        f"with structlog.contextvars.bound_contextvars(trace='{TRACE}'):",
        "    log.info('queue.paused')",
        f"    log.info('job.retried', job='{JOB}')",
    )
    assert request["logging.googleapis.com/trace"] == f"projects/a-project/traces/{TRACE}"
    assert "trace" not in request
    assert job["logging.googleapis.com/trace"].endswith(JOB.hex)


@pytest.mark.parametrize("job", [None, "", "none", "1234"])
def test_what_is_no_job_makes_no_trace(job: str | None) -> None:
    """A message that names no job still gets its line."""
    assert trace_of_job(job) is None
    [line] = logged(f"log.error('dead_letter.kept', job={job!r})")
    assert "logging.googleapis.com/trace" not in line


@pytest.mark.parametrize(
    ("header", "value", "trace"),
    [
        ("traceparent", f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        ("X-Cloud-Trace-Context", f"{TRACE.upper()}/123;o=1", TRACE),
        ("X-Cloud-Trace-Context", TRACE, TRACE),
        ("traceparent", "00-short-b7ad6b7169203331-01", None),
        ("X-Cloud-Trace-Context", f"{TRACE}\nseverity", None),
        ("Accept", "x", None),
    ],
)
def test_the_trace_of_a_request_comes_from_its_headers(header: str, value: str, trace: str | None) -> None:
    """Both headers that Cloud Run sets are read; nonsense in them is nobody's trace."""
    headers = {header: value}
    assert fields_of_request(headers.get).get("trace") == trace
