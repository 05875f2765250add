"""The API is as its own description says, also for requests that nobody sensible would send."""

import uuid
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from services.web.app import describe
from services.web.identity import ASSERTION_HEADER
from tests.finished_media import recording
from tests.web import API, PUBLIC_URL, Web

# Schemathesis draws from the random module inside its strategies, which Hypothesis dislikes.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
#: The same requests each time, so that a failure today is a failure tomorrow.
steady = settings(max_examples=30, suppress_health_check=list(HealthCheck))
DOCUMENT = describe(iap=True)
CALLS = [(method, path) for path, methods in sorted(DOCUMENT["paths"].items()) for method in sorted(methods)]


def make_sensible(case: Any) -> None:
    """Leave out what a description cannot know: pipelines, their settings, how many workers there may be, a cursor."""
    for name in ("pipeline", "settings", "workers", "cursor"):
        if isinstance(case.body, dict):
            case.body.pop(name, None)
    if isinstance(case.query, dict):
        case.query.pop("cursor", None)


def hold(web: Web, method: str, path: str, mode: GenerationMode, **known: Any) -> None:
    """Send made-up requests and hold each answer against the description: status, type, headers and body."""
    signed = {ASSERTION_HEADER: web.iap.assertion()}
    schema = schemathesis.openapi.from_wsgi(f"{API}/openapi.json", web.app, headers=signed)

    @steady
    @given(case=schema[path][method].as_strategy(generation_mode=mode, **known))
    def answers_as_described(case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            make_sensible(case)
        case.call_and_validate(headers=signed, base_url=PUBLIC_URL)

    answers_as_described()


@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_call_keeps_to_its_description(web: Web, method: str, path: str, mode: GenerationMode) -> None:
    """Right and wrong requests alike get an answer that is described, and none breaks the service."""
    hold(web, method, path, mode)


@pytest.mark.parametrize(("method", "path"), [call for call in CALLS if "{" in call[1]])
def test_calls_about_what_is_there_keep_to_it_too(web: Web, method: str, path: str) -> None:
    """The same for a job that has everything: attempts, artifacts, a result, a transcript."""
    email = "ada@example.org"
    job = recording(web.cloud, owner=email)
    artifact = web.person(email).api(f"/jobs/{job}")["artifacts"][0]["id"]
    ids = {
        "{job_id}": str(job),
        "{artifact_id}": artifact,
        "{letter_id}": str(uuid.uuid4()),
        "{label}": "S2",
        "{file}": "mp4-360.mp4",
    }
    known = {name.strip("{}"): known for name, known in ids.items() if name in path}
    hold(web, method, path, GenerationMode.POSITIVE, path_parameters=known)


def references(node: Any) -> list[str]:
    """Find every ``$ref``."""
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


def test_the_description_is_itself_in_order(web: Web) -> None:
    """It is served as made, every reference leads somewhere, every schema is one, each call has a name of its own."""
    document = web.person().api("/openapi.json")
    assert document == DOCUMENT
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert {reference.removeprefix("#/components/schemas/") for reference in references(document)} == set(schemas)
    names = [document["paths"][path][method]["operationId"] for method, path in CALLS]
    assert len(names) == len(set(names))
