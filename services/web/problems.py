"""Errors in words: problem+json (RFC 9457) under /api, a page anywhere else, never a stack trace."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog
from flask import Flask, Response, g, render_template, request
from pg8000.exceptions import DatabaseError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from services.web.cloud_errors import CLOUD_ERRORS
from services.web.shapes import FieldProblem, ProblemShape
from services.web.views import ErrorPage, Person, Shell

log = structlog.get_logger()

#: Postgres says so while it starts, stops or has no connection left (SQLSTATE classes 08, 53, 57P).
_AWAY = re.compile(r"08|53|57P")
_RETRY_SECONDS = 5
_WORDS: Mapping[int, tuple[str, str]] = {
    400: ("Bad request", "The request could not be understood."),
    404: ("Not found", "There is nothing at this address."),
    405: ("Method not allowed", "This address does not take that kind of request."),
    413: ("Too large", "The request is larger than this address accepts."),
    415: ("Unsupported media type", "Send the body as application/json."),
    500: ("Something went wrong", "The error is ours and is in the log. Trying again may help."),
}


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818 - RFC 9457 calls it so
    """What went wrong, for a person: ``title`` in a few words, ``detail`` in sentences."""

    status: int
    title: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def not_found(what: str) -> Problem:
    """Answer alike for what does not exist and for what belongs to somebody else."""
    return Problem(404, "Not found", f"There is no such {what}, or it belongs to somebody else.")


def admins_only(person: Person, deed: str) -> None:
    """Refuse a deed to whoever is no admin.

    Raises:
        Problem: 403.
    """
    if not person.admin:
        raise Problem(403, "For admins only", f"Only an admin may {deed} (SPOTMILL_ADMINS).")


def unprocessable(pointer: str, detail: str) -> Problem:
    """Say what is wrong with one part of a request."""
    return Problem(
        422, "Not valid", f"{pointer.lstrip('/')}: {detail}", (FieldProblem(pointer=pointer, detail=detail),)
    )


def unavailable(title: str, detail: str) -> Problem:
    """Something that Spotmill needs does not answer now."""
    return Problem(503, title, detail, headers={"Retry-After": str(_RETRY_SECONDS)})


def database_is_away(error: Exception) -> bool:
    """Tell a database that is down, starting or full from a statement that it refused."""
    if isinstance(error, PoolTimeoutError | OperationalError | InterfaceError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    said = error.orig.args[0] if isinstance(error.orig, DatabaseError) and error.orig.args else None
    return isinstance(said, dict) and _AWAY.match(str(said.get("C", ""))) is not None


def _page(problem: Problem) -> ErrorPage:
    """Say each fault once: a single one is the sentence of the page, several are a list."""
    faults = tuple(error.detail for error in problem.errors)
    if len(faults) == 1:
        return ErrorPage(problem.status, problem.title, faults[0])
    detail = "Each of these needs a change." if faults else problem.detail
    return ErrorPage(problem.status, problem.title, detail, faults)


def respond(problem: Problem) -> Response:
    """Show a problem in the way of the address that was asked for."""
    if request.path.startswith("/api/"):
        body = ProblemShape(
            title=problem.title, status=problem.status, detail=problem.detail, errors=list(problem.errors)
        )
        response = Response(body.model_dump_json(), problem.status, mimetype="application/problem+json")
    else:
        person: Person | None = g.get("person")
        html = render_template("error.html", shell=Shell(person, "error", None), page=_page(problem))
        response = Response(html, problem.status)
    response.headers.extend(dict(problem.headers))
    response.headers["Cache-Control"] = "no-store"
    return response


def _of_http(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return Response(error.get_body(), error.code or 500, error.get_headers())
    title, detail = _WORDS.get(error.code, (error.name, error.description or error.name))
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return respond(Problem(error.code, title, detail, headers=headers))


def _of_exception(error: Exception) -> Response:
    if database_is_away(error):
        log.warning("database.away", path=request.path, reason=str(error).splitlines()[0])
        return respond(
            unavailable(
                "The database does not answer", "Try again in a moment. A page that shows news does so by itself."
            )
        )
    if isinstance(error, CLOUD_ERRORS):
        log.warning("cloud.away", path=request.path, reason=str(error))
        return respond(unavailable("Google Cloud does not answer", "A service that this needs is away. Try again."))
    log.error("request.failed", method=request.method, path=request.path, exc_info=error)
    title, detail = _WORDS[500]
    return respond(Problem(500, title, detail))


def install(app: Flask) -> None:
    """Have every error answered in words."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _of_exception)
