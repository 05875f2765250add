"""The API's description (OpenAPI 3.1), made from the declarations that also serve it."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services.web.operations import Operation
from services.web.shapes import ProblemShape

_SCHEMAS = "#/components/schemas/"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": f"{_SCHEMAS}ProblemShape"}}}
_WORDS = {200: "Here it is.", 201: "Made.", 202: "Accepted.", 302: "At the address in Location."}
_ETAG = {"ETag": {"description": "Of the body; send it back as If-None-Match.", "schema": {"type": "string"}}}


def _problem(words: str) -> dict[str, Any]:
    return {"description": words, "content": _PROBLEM}


def _answer(
    status: int, shape: type[BaseModel] | None, *, conditional: bool, media: str | None = None
) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _WORDS[status]}
    if status == 200 and media is not None:
        described["content"] = {media: {"schema": {"type": "string"} if media.startswith("text/") else {}}}
    if shape is not None:
        described["content"] = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{shape.__name__}"}}}
    if status == 302:
        described["headers"] = {"Location": {"required": True, "schema": {"type": "string", "format": "uri"}}}
    if conditional and status == 200:
        described["headers"] = _ETAG
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path: list[dict[str, Any]] = []
    for name in operation.parameters:
        pattern = operation.labels.get(name)
        form = {"format": "uuid"} if pattern is None else {"pattern": pattern}
        in_path.append({"name": name, "in": "path", "required": True, "schema": {"type": "string", **form}})
    if operation.query is None:
        return in_path
    schema = operation.query.model_json_schema(mode="validation", ref_template=_SCHEMAS + "{model}")
    in_query = []
    for name, described in schema["properties"].items():
        # A query cannot say null: what is optional is left out.
        [plain] = [kind for kind in described.pop("anyOf", [{}]) if kind.get("type") != "null"]
        described.pop("default", None)
        in_query.append({"name": name, "in": "query", "schema": plain | described})
    return in_path + in_query


def _describe(operation: Operation) -> dict[str, Any]:
    answers = {
        str(status): _answer(status, shape, conditional=operation.conditional, media=operation.media)
        for status, shape in operation.answers.items()
    }
    if operation.conditional:
        answers["304"] = {"description": "The caller's copy (If-None-Match) is the newest.", "headers": _ETAG}
    problems = dict(operation.problems)
    if not operation.public:
        problems[401] = "Nobody is signed in."
        problems.setdefault(403, "Another site's page asked for a change.")
    if operation.query is not None or operation.body is not None:
        problems[422] = "Something in the request is not valid; each fault is named."
    if operation.body is not None:
        problems |= {400: "The body is not JSON.", 413: "The body is too long.", 415: "The body is not JSON."}
    problems[503] = "Something that Spotmill needs does not answer; try again after Retry-After seconds."
    answers |= {str(status): _problem(words) for status, words in sorted(problems.items())}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation),
        "responses": answers,
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": bool(operation.body.model_json_schema().get("required")),
            "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{operation.body.__name__}"}}},
        }
    if operation.public:
        described["security"] = []
    return described


def document(operations: Sequence[Operation], *, prefix: str, iap: bool) -> dict[str, Any]:
    """Describe the whole API as it is deployed here: with IAP in front, or for the development user."""
    answers = {shape for o in operations for shape in o.answers.values() if shape is not None} | {ProblemShape}
    bodies = {o.body for o in operations if o.body is not None}
    queries = {o.query for o in operations if o.query is not None}
    ordered = sorted(answers, key=lambda m: m.__name__)
    inputs = sorted(bodies | queries, key=lambda m: m.__name__)
    _, schemas = models_json_schema(
        [(m, "serialization") for m in ordered] + [(m, "validation") for m in inputs],
        ref_template=_SCHEMAS + "{model}",
    )
    asked = {query.__name__ for query in queries}
    definitions = {name: schema for name, schema in schemas["$defs"].items() if name not in asked}
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = _describe(operation)
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Spotmill", "version": "1", "description": "Media jobs on spot VMs."},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": definitions},
    }
    if iap:
        described["components"]["securitySchemes"] = {
            "iap": {"type": "apiKey", "in": "header", "name": "X-Goog-IAP-JWT-Assertion", "description": "Set by IAP."}
        }
        described["security"] = [{"iap": []}]
    return described
