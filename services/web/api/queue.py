"""The queue at a glance."""

from flask import Response

from services.web import pausing
from services.web.backends import backends
from services.web.listing import API
from services.web.operations import ADMINS_ONLY, Api, answer, caller
from services.web.overview import read_queue
from services.web.shapes import Queue

api = Api("queue", API)


@api.operation("GET", "/queue", summary="Show counts, workers, run, estimate", answers={200: Queue}, conditional=True)
def show_queue() -> Response:
    with backends().transaction(caller()) as connection:
        return answer(read_queue(connection, backends().settings, backends().watch))


@api.operation(
    "POST",
    "/queue/pause",
    summary="Let jobs at hand be finished and start no others, for everybody; for admins",
    answers={200: Queue},
    problems={403: ADMINS_ONLY},
)
def pause_queue() -> Response:
    return answer(pausing.pause(backends(), caller()))


@api.operation(
    "POST",
    "/queue/resume",
    summary="Let a paused queue move again; for admins",
    answers={200: Queue},
    problems={403: ADMINS_ONLY},
)
def resume_queue() -> Response:
    return answer(pausing.resume(backends(), caller()))
