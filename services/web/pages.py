"""The pages: each is whole without script, with its first data in it."""

import uuid
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from services.web import bulk_retry, pausing, processing, undelivered
from services.web.api.jobs import JobsQuery
from services.web.backends import backends
from services.web.form_upload import store
from services.web.frame import done, shell
from services.web.job_detail import CANCELLED, RETRIED, read_job
from services.web.listing import page_of_jobs
from services.web.operations import caller, read_query, read_wish
from services.web.overview import read_queue
from services.web.problems import unprocessable
from services.web.shapes import RetryJobs
from services.web.views import Filters, JobPage, PipelineChoice, ProcessingPage, UploadPage
from shared.models import JobStatus, StopMode
from shared.routing import installed_offers

pages = Blueprint("pages", __name__)


def _choices(connection: Connection) -> tuple[PipelineChoice, ...]:
    return tuple(PipelineChoice(offer.name, offer.accepts) for offer in installed_offers(connection))


def _address(filters: Filters, cursor: str) -> str:
    asked = {"status": ",".join(filters.status), "pipeline": filters.pipeline, "q": filters.q, "cursor": cursor}
    words = urlencode({name: value for name, value in asked.items() if value})
    return url_for("pages.show_processing") + (f"?{words}" if words else "")


@pages.get("/")
def show_processing() -> str:
    query = read_query(JobsQuery, besides=["notice"])
    person = caller()
    settings = backends().settings
    wanted = query.wanted(settings)
    filters = Filters(tuple(wanted.status), wanted.pipeline or "", wanted.q or "", query.cursor)
    with backends().transaction(person) as connection:
        queue = read_queue(connection, settings, backends().watch)
        jobs = page_of_jobs(connection, person, wanted)
        pipelines = _choices(connection)
        framed = shell(connection, "processing")
    page = ProcessingPage(
        queue=queue,
        jobs=jobs.jobs,
        next_cursor=jobs.next_cursor,
        next_url=_address(filters, jobs.next_cursor) if jobs.next_cursor else None,
        first_url=_address(filters, "") if filters.cursor else None,
        filters=filters,
        statuses=tuple(JobStatus),
        pipelines=pipelines,
        max_workers=settings.max_workers,
    )
    return render_template("processing.html", shell=framed, page=page)


@pages.get("/upload")
def show_upload() -> str:
    settings = backends().settings
    with backends().transaction(caller()) as connection:
        pipelines = _choices(connection)
        framed = shell(connection, "upload")
    page = UploadPage(
        pipelines=pipelines,
        form_upload_max_bytes=settings.form_upload_max_bytes,
        upload_max_bytes=settings.upload_max_bytes,
        put_max_bytes=settings.upload_put_max_bytes,
    )
    return render_template("upload.html", shell=framed, page=page)


@pages.get("/jobs/<uuid:job_id>")
def show_job(job_id: uuid.UUID) -> str:
    with backends().transaction(caller()) as connection:
        job = read_job(connection, backends().links, job_id)
        framed = shell(connection, "job")
    page = JobPage(
        job,
        can_retry=job.status in RETRIED,
        can_cancel=job.status in CANCELLED,
        has_transcript=any(artifact.kind == "transcript" for artifact in job.artifacts),
    )
    return render_template("job.html", shell=framed, page=page)


@pages.post("/upload")
def upload() -> BaseResponse:
    # What surrounds the file in a multipart body takes a little, too.
    request.max_content_length = backends().settings.form_upload_max_bytes + 64 * 1024
    # Werkzeug's parser counts what it holds of the file just now: one read of 64 KiB and the rest of the one before.
    request.max_form_memory_size = 256 * 1024
    store(backends(), caller(), request.files.get("file"), request.form.get("pipeline") or None)
    return done("uploaded")


@pages.post("/run")
def run() -> BaseResponse:
    asked = request.form.get("workers", "").strip()
    if asked and not (asked.isascii() and asked.isdigit() and int(asked[:9]) > 0):
        raise unprocessable("/workers", "Give a number of workers, 1 or more.")
    workers = int(asked[:9]) if asked else None
    processing.start_run(backends(), caller(), workers, override_budget=request.form.get("override_budget") == "on")
    return done("started")


@pages.post("/stop")
def stop() -> BaseResponse:
    asked = request.form.get("mode", "drain")
    if asked not in tuple(StopMode):
        raise unprocessable("/mode", "Choose drain or now.")
    mode = StopMode(asked)
    processing.stop_run(backends(), caller(), mode)
    return done("stopped" if mode is StopMode.DRAIN else "stopped-now")


@pages.post("/pause")
def pause() -> BaseResponse:
    pausing.pause(backends(), caller())
    return done("paused")


@pages.post("/resume")
def resume() -> BaseResponse:
    pausing.resume(backends(), caller())
    return done("resumed")


@pages.post("/dead-letters/replay")
def replay_all() -> BaseResponse:
    undelivered.replay_all(backends(), caller())
    return done("replayed")


@pages.post("/dead-letters/discard")
def discard_all() -> BaseResponse:
    undelivered.discard_all(backends(), caller())
    return done("discarded")


@pages.post("/jobs/retry")
def retry_all() -> BaseResponse:
    retried = bulk_retry.retry_all(backends(), caller(), read_wish(RetryJobs, request.form))
    return done("retried-many" if retried.next_cursor else "retried-all")


@pages.post("/jobs/<uuid:job_id>/retry")
def retry(job_id: uuid.UUID) -> BaseResponse:
    processing.retry(backends(), caller(), job_id)
    return done("retried", job_id)


@pages.post("/jobs/<uuid:job_id>/cancel")
def cancel(job_id: uuid.UUID) -> BaseResponse:
    processing.cancel(backends(), caller(), job_id)
    return done("cancelled", job_id)


@pages.get("/health")
@pages.get("/healthz")  # for other hosts than Cloud Run, which keeps paths that end in z
def health() -> Response:
    return Response('{"status":"ok"}', mimetype="application/json")
