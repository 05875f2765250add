"""Whether the service is up. Cloud Run swallows paths that end in z, hence the plain name."""

from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from services.web.backends import backends
from services.web.listing import API
from services.web.operations import Api, answer
from services.web.shapes import Health

api = Api("health", API)


class HealthQuery(BaseModel):
    """How thoroughly to look."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    deep: Annotated[Literal["0", "1"], Field(description="1: ask the database, too.")] = "0"


@api.operation(
    "GET", "/health", summary="Tell that the service is up", query=HealthQuery, answers={200: Health}, public=True
)
def show_health(query: HealthQuery) -> Response:
    if query.deep == "1":
        with backends().engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    return answer(Health(status="ok"))
