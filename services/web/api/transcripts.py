"""What was said in a recording: to read, to download, and who said it."""

import uuid
from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from services.web import transcripts
from services.web.backends import backends
from services.web.compression import compressed
from services.web.listing import API
from services.web.operations import Api, Handler, answer, caller
from services.web.transcript_shapes import JobTranscript, NewName, Speakers
from services.web.transcripts import Form
from shared.signing import content_disposition

api = Api("transcripts", API)
_HIDDEN = "There is no such job, or it belongs to somebody else."
_NONE = "The job has no transcript (yet), or one that cannot be shown."
_LABEL = "^[A-Za-z0-9_-]{1,40}$"
_MEDIA: dict[Form, tuple[str, str]] = {
    "srt": ("application/x-subrip", "Write the transcript as SubRip captions"),
    "vtt": ("text/vtt", "Write the transcript as WebVTT captions"),
    "txt": ("text/plain", "Write the transcript as plain text"),
    "docx": (
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "Write the transcript as a Word document",
    ),
}


class FileQuery(BaseModel):
    """How a browser is to receive the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    download: Annotated[Literal["0", "1"], Field(description="1: save it instead of showing it.")] = "0"


@api.operation(
    "GET",
    "/jobs/{job_id}/transcript",
    summary="Show a job's transcript with names, statistics and analysis",
    query=FileQuery,
    answers={200: JobTranscript},
    problems={404: _HIDDEN, 409: _NONE},
    conditional=True,
)
def show_transcript(job_id: uuid.UUID, query: FileQuery) -> Response:
    with backends().transaction(caller()) as connection:
        found = transcripts.find(connection, job_id)
    named = {"Content-Disposition": content_disposition(f"{found.stem}.json", attachment=query.download == "1")}
    return compressed(answer(transcripts.show(backends(), found), headers=named))


def _write(form: Form) -> Handler:
    media, summary = _MEDIA[form]

    def write(job_id: uuid.UUID, query: FileQuery) -> Response:
        with backends().transaction(caller()) as connection:
            found = transcripts.find(connection, job_id)
        charset = "" if form == "docx" else "; charset=utf-8"
        response = Response(transcripts.write(backends(), found, form), content_type=media + charset)
        response.headers["Cache-Control"] = "private, no-cache"
        named = content_disposition(f"{found.stem}.{form}", attachment=query.download == "1" or form == "docx")
        response.headers["Content-Disposition"] = named
        return response if form == "docx" else compressed(response)

    write.__name__ = f"write_{form}"
    declare = api.operation(
        "GET",
        f"/jobs/{{job_id}}/transcript.{form}",
        summary=f"{summary}, with the names of its speakers",
        query=FileQuery,
        answers={200: None},
        problems={404: _HIDDEN, 409: _NONE},
        conditional=True,
        media=media,
    )
    return declare(write)


for _form in _MEDIA:
    _write(_form)


@api.operation(
    "PUT",
    "/jobs/{job_id}/speakers/{label}",
    summary="Name a speaker, everywhere in the job; an empty name takes it back",
    body=NewName,
    answers={200: Speakers},
    problems={
        404: "There is no such job or speaker, or it belongs to somebody else.",
        409: "Nobody speaks in it (yet).",
    },
    labels={"label": _LABEL},
)
def name_speaker(job_id: uuid.UUID, label: str, body: NewName) -> Response:
    with backends().transaction(caller()) as connection:
        return answer(Speakers(speakers=transcripts.rename(connection, job_id, label, body.name)))
