"""Artifacts: a lasting address for each published file."""

import uuid
from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from services.web.backends import backends
from services.web.job_detail import read_artifact
from services.web.listing import API
from services.web.operations import Api, caller

api = Api("artifacts", API)


class ArtifactQuery(BaseModel):
    """How a browser is to receive the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    download: Annotated[Literal["0", "1"], Field(description="1: save it instead of showing it.")] = "0"


@api.operation(
    "GET",
    "/artifacts/{artifact_id}",
    summary="Go to a published file",
    query=ArtifactQuery,
    answers={302: None},
    problems={404: "There is no such file, or it belongs to somebody else."},
)
def open_artifact(artifact_id: uuid.UUID, query: ArtifactQuery) -> Response:
    with backends().transaction(caller()) as connection:
        target = read_artifact(connection, artifact_id, attachment=query.download == "1")
    links = backends().links
    # Kept for half of what the URL has left at least, so that pages full of pictures do not come back each time.
    age = links.fresh_seconds // 2
    return Response(status=302, headers={"Location": links.to(target), "Cache-Control": f"private, max-age={age}"})
