"""What each template gets. Every page has ``shell``; ``page`` is one of the other classes here.

| template          | route                  | page             |
| ----------------- | ---------------------- | ---------------- |
| processing.html   | ``GET /search``, ``GET /gallery``      | ``q``, ``cursor``                                   |
| ``GET /``              | ProcessingPage   |
| upload.html       | ``GET /upload``        | UploadPage       |
| job.html          | ``GET /jobs/<id>``     | JobPage          |
| transcript.html   | ``GET /jobs/<id>/transcript`` | ReadPage  |
| search.html       | ``GET /search``        | SearchResults    |
| gallery.html      | ``GET /gallery``       | GalleryPage      |
| error.html        | any error of a page    | ErrorPage        |

The objects of ``services.web.shapes`` are those of the API, so a template and a script read the same names; a
template hands them to its script with ``{{ page.queue.model_dump(mode="json") | tojson }}`` in a
``<script type="application/json">`` block, the only inline block that the Content-Security-Policy lets be.

Forms that work without script (all answer 303 to a page, or an error page):

| form                                   | fields                                              |
| -------------------------------------- | --------------------------------------------------- |
| ``POST /run``                          | ``workers`` (number), ``override_budget`` (on)      |
| ``POST /stop``                         | ``mode`` = drain or now                             |
| ``POST /pause`` and ``/resume``        | none                                                |
| ``POST /dead-letters/replay`` and ``/discard`` | none                                        |
| ``POST /jobs/<id>/retry`` and ``/cancel`` | none                                             |
| ``POST /jobs/<id>/speakers``           | ``label``, ``name``                                 |
| ``POST /jobs/retry``                   | ``status``, ``pipeline``, ``q``                     |
| ``POST /upload`` (multipart)           | ``file``, ``pipeline`` (optional)                   |
| ``GET /search``, ``GET /gallery``      | ``q``, ``cursor``                                   |
| ``GET /``                              | ``status``, ``pipeline``, ``q``, ``cursor``         |
"""

import uuid
from dataclasses import dataclass

from services.web.shapes import Job, JobDetail, Pause, Queue, SpentBudget
from services.web.transcript_shapes import NamedSpeaker, SearchHit


@dataclass(frozen=True, slots=True)
class Person:
    """Who is signed in. Admins see the jobs of everybody."""

    email: str
    admin: bool


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame of every page needs.

    ``person`` is None on error pages that nobody signed in for. ``notice`` is a sentence about what the last form did.
    ``current`` is ``processing``, ``upload``, ``gallery``, ``search``, ``job`` or ``error``. ``pause`` is set while the
    queue is paused, ``budget`` while it is spent. ``api`` is the API's path, without a closing slash.
    """

    person: Person | None
    current: str
    notice: str | None
    pause: Pause | None = None
    budget: SpentBudget | None = None
    api: str = "/api/v1"


@dataclass(frozen=True, slots=True)
class PipelineChoice:
    """An installed pipeline and the content types it accepts (``image/*``)."""

    name: str
    accepts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filters:
    """The listing's filters as the address asks for them. ``status`` holds job states; empty means all."""

    status: tuple[str, ...]
    pipeline: str
    q: str
    cursor: str

    @property
    def active(self) -> bool:
        """Tell whether anything but the newest jobs is asked for."""
        return bool(self.status or self.pipeline or self.q or self.cursor)


@dataclass(frozen=True, slots=True)
class ProcessingPage:
    """The first page of jobs under the filters, and the queue. ``next_url`` leads to older jobs, ``first_url`` back."""

    queue: Queue
    jobs: list[Job]
    next_cursor: str | None
    next_url: str | None
    first_url: str | None
    filters: Filters
    statuses: tuple[str, ...]
    pipelines: tuple[PipelineChoice, ...]
    max_workers: int


@dataclass(frozen=True, slots=True)
class UploadPage:
    """Limits in bytes. Files up to ``put_max_bytes`` go up in one PUT; the API's answer says so for each file."""

    pipelines: tuple[PipelineChoice, ...]
    form_upload_max_bytes: int
    upload_max_bytes: int
    put_max_bytes: int


@dataclass(frozen=True, slots=True)
class JobPage:
    """``job.artifacts[].url`` are signed and short-lived; ``/api/v1/artifacts/<id>[?download=1]`` never expires."""

    job: JobDetail
    can_retry: bool
    can_cancel: bool
    has_transcript: bool


@dataclass(frozen=True, slots=True)
class ReadParagraph:
    """What one speaker says; ``time`` is as people write it."""

    time: str
    speaker: str | None
    called: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ReadPage:
    """A transcript to read without script, and what its speakers are called."""

    job_id: uuid.UUID
    filename: str
    speakers: tuple[NamedSpeaker, ...]
    paragraphs: tuple[ReadParagraph, ...]


@dataclass(frozen=True, slots=True)
class SearchResults:
    """What a search found, a page of it; ``next_url`` leads to the rest."""

    q: str
    hits: tuple[SearchHit, ...]
    next_url: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture: a small one for the grid and a large one to look at, with the large one's size in pixels."""

    job_id: uuid.UUID
    filename: str
    small_url: str
    large_url: str
    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True)
class GalleryPage:
    """Pictures, newest first; ``next_url`` leads to older ones, ``first_url`` back."""

    pictures: tuple[Picture, ...]
    q: str
    next_url: str | None
    first_url: str | None


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """``title`` is a few words, ``detail`` sentences for a person; ``items`` names single faults, such as settings."""

    status: int
    title: str
    detail: str
    items: tuple[str, ...] = ()
