"""Jobs: the listing, one of them, and what a person may do with it."""

import uuid
from typing import Annotated

from flask import Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.web import bulk_retry, processing
from services.web.backends import backends
from services.web.cursor import Cursor
from services.web.job_detail import read_job
from services.web.listing import API, Wanted, page_of_jobs
from services.web.operations import Api, answer, caller
from services.web.shapes import NO_NUL, JobDetail, JobPage, Retried, RetryJobs, Words, in_words, no_nul
from shared.models import JobStatus
from shared.objects import ObjectName
from shared.settings import WebSettings

api = Api("jobs", API)
_HIDDEN = "There is no such job, or it belongs to somebody else."
_STATE = "|".join(JobStatus)
_States = Annotated[
    str,
    StringConstraints(max_length=200, pattern=rf"^(({_STATE})(,({_STATE}))*)?$"),
    in_words(f"Name one or more states, separated by commas: {', '.join(JobStatus)}."),
]


class JobsQuery(BaseModel):
    """Which jobs. What is empty does not matter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: _States = Field("", description="States, separated by commas.")
    pipeline: Words = ""
    q: Words = Field("", description="Part of the file's name; one or two letters: how it begins.")
    object: Annotated[str, StringConstraints(max_length=1024, pattern=NO_NUL), no_nul] = Field(
        "", description="Only jobs of this upload, by its whole object name; q does not matter then."
    )
    cursor: Words = Field("", description="next_cursor of the page before.")
    limit: Annotated[int, Field(ge=1, le=200)] | None = Field(None, description="Jobs on a page.")

    def wanted(self, settings: WebSettings) -> Wanted:
        """Turn the words of the address into values.

        Raises:
            Problem: 400, the cursor is none of ours.
        """
        return Wanted(
            status=tuple(JobStatus(word) for word in dict.fromkeys(self.status.split(",")) if word),
            pipeline=self.pipeline or None,
            q=self.q or None,
            upload=ObjectName(settings.upload_bucket, self.object) if self.object else None,
            cursor=Cursor.decode(self.cursor) if self.cursor else None,
            limit=self.limit or settings.page_size,
        )


@api.operation(
    "GET",
    "/jobs",
    summary="List jobs, newest first",
    query=JobsQuery,
    answers={200: JobPage},
    problems={400: "The cursor is none that this listing gave out."},
    conditional=True,
)
def list_jobs(query: JobsQuery) -> Response:
    wanted = query.wanted(backends().settings)
    with backends().transaction(caller()) as connection:
        return answer(page_of_jobs(connection, caller(), wanted))


@api.operation(
    "GET",
    "/jobs/{job_id}",
    summary="Show a job with its attempts and artifacts",
    answers={200: JobDetail},
    problems={404: _HIDDEN},
    conditional=True,
)
def show_job(job_id: uuid.UUID) -> Response:
    with backends().transaction(caller()) as connection:
        return answer(read_job(connection, backends().links, job_id))


@api.operation(
    "POST",
    "/jobs/retry",
    summary="Queue failed or cancelled jobs again, as many as a few seconds allow",
    body=RetryJobs,
    answers={202: Retried},
)
def retry_jobs(body: RetryJobs) -> Response:
    return answer(bulk_retry.retry_all(backends(), caller(), body), 202)


@api.operation(
    "POST",
    "/jobs/{job_id}/retry",
    summary="Queue a failed or cancelled job again",
    answers={202: JobDetail},
    problems={404: _HIDDEN, 409: "The job is in another state."},
)
def retry_job(job_id: uuid.UUID) -> Response:
    return answer(processing.retry(backends(), caller(), job_id), 202)


@api.operation(
    "POST",
    "/jobs/{job_id}/cancel",
    summary="Stop a queued or running job",
    answers={202: JobDetail},
    problems={404: _HIDDEN, 409: "The job is over already."},
)
def cancel_job(job_id: uuid.UUID) -> Response:
    return answer(processing.cancel(backends(), caller(), job_id), 202)
