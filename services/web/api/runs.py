"""Runs: start workers, look, stop them."""

from flask import Response

from services.web import processing
from services.web.backends import backends
from services.web.listing import API
from services.web.operations import Api, answer, caller
from services.web.shapes import NewRun, Run, StopRun
from shared.models import StopMode

api = Api("runs", API)
_NONE = "No run is open."


@api.operation(
    "POST",
    "/runs",
    summary="Start workers; a run that is open goes on with the larger number of them",
    body=NewRun,
    answers={202: Run},
    problems={
        403: "Only an admin may override the budget. Or another site's page asked for a change.",
        409: "The workers' budget is spent.",
    },
)
def start_run(body: NewRun) -> Response:
    run = processing.start_run(backends(), caller(), body.workers, override_budget=body.override_budget)
    return answer(run, 202)


@api.operation(
    "GET", "/runs/current", summary="Show the open run", answers={200: Run}, problems={404: _NONE}, conditional=True
)
def show_run() -> Response:
    return answer(processing.current_run(backends(), caller()))


@api.operation(
    "POST",
    "/runs/current/stop",
    summary="Stop the open run",
    body=StopRun,
    answers={200: Run},
    problems={404: _NONE},
)
def stop_run(body: StopRun) -> Response:
    return answer(processing.stop_run(backends(), caller(), StopMode(body.mode)))
