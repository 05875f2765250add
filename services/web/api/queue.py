"""The queue at a glance."""

from flask import Response

from services.web.backends import backends
from services.web.listing import API
from services.web.operations import Api, answer, caller
from services.web.overview import read_queue
from services.web.shapes import Queue

api = Api("queue", API)


@api.operation("GET", "/queue", summary="Show counts, workers, run, estimate", answers={200: Queue}, conditional=True)
def show_queue() -> Response:
    with backends().transaction(caller()) as connection:
        return answer(read_queue(connection, backends().settings, backends().watch))
