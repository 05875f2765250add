"""The video pipeline: films that play everywhere, encoded piece by piece, so that no piece is made twice."""

from spotmill import Job, pipeline
from worker.pipelines.video.settings import SCHEMA

#: Containers of films that have an application type (IANA, and what browsers make of the endings).
_APPLICATIONS = (
    "application/mp4",
    "application/mxf",
    "application/vnd.ms-asf",
    "application/vnd.rn-realmedia",
    "application/x-matroska",
)


@pipeline("video", accepts=("video/*", *_APPLICATIONS), settings_schema=SCHEMA)
def video(job: Job) -> None:
    """Encode one film: renditions, HLS, poster, scrubbing pictures."""
    from worker.pipelines.video.film import render  # noqa: PLC0415 - a child that never sees a film loads no codecs

    render(job)
