"""Messages that nobody could deliver: the list for admins, and what they decide."""

import uuid
from typing import Annotated

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from services.web import undelivered
from services.web.backends import backends
from services.web.cursor import Cursor
from services.web.listing import API
from services.web.operations import ADMINS_ONLY, Api, answer, caller
from services.web.shapes import DeadLetter, DeadLetterPage, Decided, Words

api = Api("dead_letters", API)
_NONE = "There is no such message."


class DeadLettersQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cursor: Words = Field("", description="next_cursor of the page before.")
    limit: Annotated[int, Field(ge=1, le=200)] | None = Field(None, description="Messages on a page.")


@api.operation(
    "GET",
    "/dead-letters",
    summary="List messages that nobody could deliver, newest first; for admins",
    query=DeadLettersQuery,
    answers={200: DeadLetterPage},
    problems={400: "The cursor is none that this listing gave out.", 403: ADMINS_ONLY},
    conditional=True,
)
def list_dead_letters(query: DeadLettersQuery) -> Response:
    cursor = Cursor.decode(query.cursor) if query.cursor else None
    limit = query.limit or backends().settings.page_size
    return answer(undelivered.read_page(backends(), caller(), cursor, limit))


@api.operation(
    "POST",
    "/dead-letters/replay",
    summary="Replay all that can be, as many as a few seconds allow; for admins",
    answers={202: Decided},
    problems={403: ADMINS_ONLY},
)
def replay_dead_letters() -> Response:
    return answer(undelivered.replay_all(backends(), caller()), 202)


@api.operation(
    "POST",
    "/dead-letters/discard",
    summary="Discard all of them, as many as a few seconds allow; for admins",
    answers={202: Decided},
    problems={403: ADMINS_ONLY},
)
def discard_dead_letters() -> Response:
    return answer(undelivered.discard_all(backends(), caller()), 202)


@api.operation(
    "POST",
    "/dead-letters/{letter_id}/replay",
    summary="Announce the message's job anew, or publish the message again as it was; for admins",
    answers={202: DeadLetter},
    problems={403: ADMINS_ONLY, 404: _NONE, 409: "It was decided on before, or replaying it would do nothing."},
)
def replay_dead_letter(letter_id: uuid.UUID) -> Response:
    return answer(undelivered.replay(backends(), caller(), letter_id), 202)


@api.operation(
    "POST",
    "/dead-letters/{letter_id}/discard",
    summary="Give the message up; a job that waits for nothing else is cancelled; for admins",
    answers={200: DeadLetter},
    problems={403: ADMINS_ONLY, 404: _NONE, 409: "It was decided on before."},
)
def discard_dead_letter(letter_id: uuid.UUID) -> Response:
    return answer(undelivered.discard(backends(), caller(), letter_id))
