"""Calls of the API: one declaration makes the route, reads and checks the input, and describes it in OpenAPI."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ValidationError

from services.web.problems import Problem
from services.web.shapes import FieldProblem, Shape, Wish
from services.web.views import Person

_BODY_MAX_BYTES = 64 * 1024
#: Why a call that only admins may make answers 403.
ADMINS_ONLY = "Only an admin may do this. Or another site's page asked for a change."
Q = TypeVar("Q", bound=BaseModel)
W = TypeVar("W", bound=Wish)
Handler = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call as OpenAPI sees it. ``path`` has ``{name}`` for each UUID; ``answers`` maps a status to its shape.

    ``labels`` are parts of the path that are words, with patterns. ``media`` is the type of a 200 that is no JSON.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, type[Shape] | None]
    problems: Mapping[int, str]
    query: type[BaseModel] | None
    body: type[Wish] | None
    conditional: bool
    public: bool
    labels: Mapping[str, str]
    media: str | None

    @property
    def parameters(self) -> list[str]:
        """Names of the parts of the path that vary."""
        return re.findall(r"\{(\w+)\}", self.path)


def caller() -> Person:
    """Return who is asking."""
    person: Person = g.person
    return person


def answer(shape: Shape, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Write a shape as JSON."""
    response = Response(shape.model_dump_json(), status, mimetype="application/json")
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers.extend(dict(headers or {}))
    return response


def _reasons(error: ValidationError) -> tuple[FieldProblem, ...]:
    return tuple(
        FieldProblem(pointer="/" + "/".join(map(str, e["loc"])), detail=e["msg"].removeprefix("Value error, "))
        for e in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _not_valid(error: ValidationError) -> Problem:
    errors = _reasons(error)
    words = "; ".join(f"{e.pointer.lstrip('/') or 'body'}: {e.detail}" for e in errors)
    return Problem(422, "Not valid", words, errors)


def read_query(kind: type[Q], *, besides: Sequence[str] = ()) -> Q:
    """Check the query string, but for the parameters ``besides``. One that is given twice is no guess but an error."""
    doubled = [name for name, values in request.args.lists() if len(values) > 1]
    if doubled:
        raise Problem(422, "Not valid", f"Given more than once: {', '.join(doubled)}.")
    try:
        return kind.model_validate({name: value for name, value in request.args.items() if name not in besides})
    except ValidationError as error:
        raise _not_valid(error) from None


def read_wish(kind: type[W], fields: Mapping[str, str]) -> W:
    """Check what a plain form says, by the rules for the body of a call."""
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        raise _not_valid(error) from None


def _read_body(kind: type[Wish]) -> Wish:
    request.max_content_length = _BODY_MAX_BYTES
    raw = request.get_data(cache=False)
    if not raw and not kind.model_json_schema().get("required"):
        return kind()
    if request.mimetype != "application/json":
        raise Problem(415, "Unsupported media type", "Send the body as application/json.")
    try:
        return kind.model_validate_json(raw)
    except ValidationError as error:
        if any(e["type"] == "json_invalid" for e in error.errors()):
            raise Problem(400, "Bad request", "The body is not JSON.") from None
        raise _not_valid(error) from None


def _condition(response: Response) -> Response:
    """Answer 304 if the caller has this very body already."""
    if response.status_code == 200:
        response.set_etag(hashlib.blake2b(response.get_data(), digest_size=16).hexdigest())
        response.make_conditional(request)
    return response


class Api:
    """Collects operations for one blueprint."""

    def __init__(self, name: str, prefix: str) -> None:
        self.blueprint = Blueprint(name, __name__, url_prefix=prefix)
        self.prefix = prefix
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        *,
        summary: str,
        answers: Mapping[int, type[Shape] | None],
        problems: Mapping[int, str] | None = None,
        query: type[BaseModel] | None = None,
        body: type[Wish] | None = None,
        conditional: bool = False,
        public: bool = False,
        labels: Mapping[str, str] | None = None,
        media: str | None = None,
    ) -> Callable[[Handler], Handler]:
        """Make a function answer a call. It gets parts of the path by name, ``query`` and ``body`` where declared."""
        words = labels or {}

        def declare(handler: Handler) -> Handler:
            self.operations.append(
                Operation(
                    method,
                    path,
                    handler.__name__,
                    summary,
                    answers,
                    problems or {},
                    query,
                    body,
                    conditional,
                    public,
                    words,
                    media,
                )
            )

            def serve(**arguments: Any) -> Response:
                if query is not None:
                    arguments["query"] = read_query(query)
                if body is not None:
                    arguments["body"] = _read_body(body)
                response = handler(**arguments)
                return _condition(response) if conditional else response

            rule = re.sub(r"\{(\w+)\}", lambda part: f"<{'string' if part[1] in words else 'uuid'}:{part[1]}>", path)
            self.blueprint.add_url_rule(rule, handler.__name__, serve, methods=[method])
            return handler

        return declare


def merged(apis: Sequence[Api]) -> list[Operation]:
    """List the operations of several parts, in the order of their paths."""
    return sorted((o for api in apis for o in api.operations), key=lambda o: (o.path, o.method))
