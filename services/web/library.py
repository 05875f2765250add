"""The pages on which people look at results: a transcript to read, a search, a gallery; whole without script."""

import uuid
from typing import Annotated
from urllib.parse import urlencode

from flask import Blueprint, render_template, request
from pydantic import BaseModel, ConfigDict, StringConstraints
from werkzeug.wrappers import Response

from services.web import gallery, transcripts
from services.web.backends import backends
from services.web.cursor import Cursor
from services.web.frame import done, shell
from services.web.operations import caller, read_query, read_wish
from services.web.search import page_of_hits
from services.web.shapes import Words
from services.web.transcript_shapes import NewName
from services.web.views import GalleryPage, ReadPage, ReadParagraph, SearchResults
from shared.transcript.paragraphs import paragraphs
from shared.transcript.wording import called, clock

library = Blueprint("library", __name__)
_HITS = 20


class Looked(BaseModel):
    """What a page is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: Words = ""
    cursor: Words = ""


class NewNameForm(NewName):
    """The same as a plain form says it."""

    label: Annotated[str, StringConstraints(pattern="^[A-Za-z0-9_-]{1,40}$")]


def _address(path: str, q: str, cursor: str = "") -> str:
    words = urlencode({name: value for name, value in (("q", q), ("cursor", cursor)) if value})
    return f"{path}?{words}" if words else path


@library.get("/jobs/<uuid:job_id>/transcript")
def show_transcript(job_id: uuid.UUID) -> str:
    with backends().transaction(caller()) as connection:
        found = transcripts.find(connection, job_id)
        framed = shell(connection, "job")
    transcript, names = transcripts.read(backends(), found), dict(found.names)
    page = ReadPage(
        job_id,
        found.filename,
        tuple(transcripts.speakers_of(transcript, names)),
        tuple(
            ReadParagraph(clock(p.start), p.speaker, called(p.speaker, names) if p.speaker else None, p.text)
            for p in paragraphs(transcript)
        ),
    )
    return render_template("transcript.html", shell=framed, page=page)


@library.post("/jobs/<uuid:job_id>/speakers")
def name_speaker(job_id: uuid.UUID) -> Response:
    wish = read_wish(NewNameForm, request.form)
    with backends().transaction(caller()) as connection:
        transcripts.rename(connection, job_id, wish.label, wish.name)
    return done("named", job_id)


@library.get("/search")
def show_search() -> str:
    query = read_query(Looked)
    with backends().transaction(caller()) as connection:
        found = page_of_hits(connection, query.q, query.cursor, _HITS)
        framed = shell(connection, "search")
    more = _address("/search", query.q, found.next_cursor) if found.next_cursor else None
    return render_template("search.html", shell=framed, page=SearchResults(query.q, tuple(found.hits), more))


@library.get("/gallery")
def show_gallery() -> str:
    query = read_query(Looked)
    cursor = Cursor.decode(query.cursor) if query.cursor else None
    with backends().transaction(caller()) as connection:
        found = gallery.page_of_pictures(connection, caller(), query.q, cursor, backends().settings.page_size)
        framed = shell(connection, "gallery")
    page = GalleryPage(
        pictures=found.pictures,
        q=query.q,
        next_url=_address("/gallery", query.q, found.next_cursor) if found.next_cursor else None,
        first_url=_address("/gallery", query.q) if cursor else None,
    )
    return render_template("gallery.html", shell=framed, page=page)
