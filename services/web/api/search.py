"""Search in everything that was said."""

from typing import Annotated

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from services.web.backends import backends
from services.web.listing import API
from services.web.operations import Api, answer, caller
from services.web.search import page_of_hits
from services.web.shapes import Words
from services.web.transcript_shapes import SearchPage

api = Api("search", API)


class SearchQuery(BaseModel):
    """What to look for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: Words = Field("", description='Words in any form; "in this order", or, -without. Nothing finds nothing.')
    cursor: Words = Field("", description="next_cursor of the page before.")
    limit: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Passages on a page.")


@api.operation(
    "GET",
    "/search",
    summary="Find passages of transcripts, the best first",
    query=SearchQuery,
    answers={200: SearchPage},
    problems={400: "The cursor is none that this search gave out."},
)
def search_passages(query: SearchQuery) -> Response:
    with backends().transaction(caller()) as connection:
        return answer(page_of_hits(connection, query.q, query.cursor, query.limit))
