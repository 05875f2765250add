"""The hosted models' own SDKs against a loopback server that speaks as their services do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.transcript.schema import Segment, Transcript
from spotmill.language_model import LanguageModel, LanguageModelError
from tests.language_model_server import LanguageModelServer, serving
from tests.language_model_wire import KEY, MODEL, PROJECT, REGION, Fault, Reply, Service
from worker.language_models.bounded import bounded_client
from worker.language_models.opening import open_language_model
from worker.language_models.settings import LanguageModelSettings
from worker.pipelines.analysis import analyse

SERVICES: tuple[Service, ...] = ("openai", "anthropic", "gemini", "vertex")
NAMES = {"openai": "OpenAI", "anthropic": "Anthropic", "gemini": "Gemini", "vertex": "Vertex AI"}
SCHEMA = {
    "type": "object",
    "properties": {"word": {"type": "string"}},
    "required": ["word"],
    "additionalProperties": False,
}
TRANSCRIPT = Transcript(
    duration=9,
    language="en",
    model="tiny.en",
    segments=(
        Segment(start=0, end=3, speaker="S1", text="We launch the new site on Monday."),
        Segment(start=3, end=6, speaker="S2", text="Agreed. I will tell the press by Friday."),
    ),
)
GOOD = json.dumps(
    {
        "summary": [{"text": "The new site is launched on Monday.", "segments": [0, 1]}],
        "topics": [{"title": "Launch of the site", "first_segment": 0, "last_segment": 1}],
        "decisions": [{"text": "Launch on Monday.", "segments": [0, 1]}],
        "action_items": [{"what": "Tell the press", "who": "S2", "until": "by Friday", "segments": [1]}],
    }
)
BAD = json.dumps({"summary": "The new site is launched."})


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LanguageModelServer]:
    """A server of all four services, whose service account is the machine's own."""
    with serving(tmp_path) as started:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(started.key_file))
        yield started


@pytest.fixture(params=SERVICES)
def service(request: pytest.FixtureRequest) -> Service:
    """Each service in turn."""
    found: Service = request.param
    return found


def opened(server: LanguageModelServer, service: Service, **changes: Any) -> LanguageModel:
    """Open a service's model at the loopback server."""
    of_vertex = {"project": PROJECT, "region": REGION} if service == "vertex" else {"key": KEY}
    values = {
        "engine": service,
        "model": MODEL,
        "endpoint": server.endpoint(service),
        "retry_seconds": 0.01,
        "timeout_seconds": 20,
        **of_vertex,
        **changes,
    }
    model = open_language_model(LanguageModelSettings.model_validate(values))
    assert model is not None
    return model


def complete(model: LanguageModel) -> str:
    """Ask a question."""
    return model.complete("Be brief.", "Say a word: Ärger, 文.", SCHEMA)


def test_each_service_takes_the_question_and_gives_the_answer(server: LanguageModelServer, service: Service) -> None:
    """System, prompt and schema arrive as they are, in the service's own form; the model's text comes back."""
    server.otherwise = Reply('{"word": "Käse"}')

    assert complete(opened(server, service)) == '{"word": "Käse"}'

    (asked,) = server.asked
    assert (asked.service, asked.system, asked.prompt) == (service, "Be brief.", "Say a word: Ärger, 文.")
    assert asked.schema == SCHEMA
    assert not server.refused


def test_a_transcript_is_analysed_by_each_service(server: LanguageModelServer, service: Service) -> None:
    """The real question, with its real schema, passes each service's checks."""
    server.otherwise = Reply(GOOD)

    found = analyse(TRANSCRIPT, opened(server, service))

    assert not server.refused
    assert (found.missing, found.engine, found.model) == (None, service, MODEL)
    assert found.summary[0].segments == (0, 1)
    assert (found.topics[0].start, found.topics[0].end) == (0, 6)
    assert (found.action_items[0].who, found.action_items[0].until) == ("S2", "by Friday")
    assert "[1] 00:00:03 S2: Agreed. I will tell the press by Friday." in server.asked[0].prompt


def test_an_answer_outside_the_schema_is_asked_again_once(server: LanguageModelServer, service: Service) -> None:
    """The second question says what was wrong with the first answer."""
    server.replies.extend([Reply(BAD), Reply(GOOD)])

    assert analyse(TRANSCRIPT, opened(server, service)).missing is None

    first, second = server.asked
    assert second.prompt.startswith(first.prompt)
    assert "could not be used: summary" in second.prompt


@pytest.mark.parametrize("text", [BAD, "no JSON at all", ""])
def test_two_answers_outside_the_schema_leave_no_analysis(
    server: LanguageModelServer, service: Service, text: str
) -> None:
    """The job goes on without, and says why."""
    server.otherwise = Reply(text)

    found = analyse(TRANSCRIPT, opened(server, service))

    assert found.missing is not None
    assert (found.summary, found.topics, found.decisions, found.action_items) == ((), (), (), ())
    assert len(server.asked) <= 2


@pytest.mark.parametrize(
    ("service", "status"),
    [*((service, status) for service in SERVICES for status in (429, 500, 503)), ("anthropic", 529)],
)
def test_what_passes_by_itself_is_tried_again(server: LanguageModelServer, service: Service, status: int) -> None:
    """One failure of the service costs nothing but a moment."""
    server.replies.append(Reply(fault="status", status=status))
    server.otherwise = Reply('{"word": "yes"}')

    assert complete(opened(server, service)) == '{"word": "yes"}'
    assert server.requests == 2


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(fault="status", status=429), "has no quota left for this (429): told so"),
        (Reply(fault="status", status=503), "is away (503): told so"),
    ],
)
def test_what_does_not_pass_is_given_up(server: LanguageModelServer, service: Service, reply: Reply, why: str) -> None:
    """After the bounded number of tries the analysis is missing, with the reason."""
    server.otherwise = reply

    found = analyse(TRANSCRIPT, opened(server, service))

    assert found.missing == f"{service} ({MODEL}) gave no analysis: {NAMES[service]} {why}."
    assert server.requests == 3


def test_nobody_waits_a_day_because_a_server_says_so(server: LanguageModelServer, service: Service) -> None:
    """Retry-After beyond what we wait for ends the question at once."""
    server.otherwise = Reply(fault="status", status=429, retry_after="86400")

    with pytest.raises(LanguageModelError, match="quota") as caught:
        complete(opened(server, service))

    assert caught.value.retryable
    assert server.requests == (1 if service in {"openai", "anthropic"} else 3)


def test_no_credit_is_nothing_to_wait_for(server: LanguageModelServer) -> None:
    """OpenAI's 429 for an empty account differs from its 429 for a full minute by its code alone."""
    server.otherwise = Reply(fault="status", status=429, code="insufficient_quota")

    with pytest.raises(LanguageModelError) as caught:
        complete(opened(server, "openai", retries=0))

    assert not caught.value.retryable


@pytest.mark.parametrize("service", ["openai", "anthropic", "gemini"])
def test_a_wrong_key_is_said_without_the_key(server: LanguageModelServer, service: Service) -> None:
    """It is not tried again, and neither the key nor the service's words about it are published."""
    model = opened(server, service, key="sk-wrong")

    found = analyse(TRANSCRIPT, model)

    assert found.missing is not None
    assert "did not accept the credentials" in found.missing
    assert "sk-" not in found.missing
    assert server.requests == 1
    assert "sk-wrong" not in repr(model.__dict__)


def test_a_model_that_does_not_exist_is_named(server: LanguageModelServer, service: Service) -> None:
    """It is the first thing that an operator gets wrong."""
    with pytest.raises(LanguageModelError, match="knows no model 'another'"):
        complete(opened(server, service, model="another"))


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("refusal", "declined to answer"),
        ("blocked", "declined to answer"),
        ("cut-off", "was cut off at 16000 tokens"),
        ("garbled", "answered something unreadable"),
        ("hollow", "answered something unreadable"),
        ("moved", r"\(307\)"),
    ],
)
def test_an_answer_that_is_none_is_said_to_be_none(
    server: LanguageModelServer, service: Service, fault: Fault, why: str
) -> None:
    """A refusal, a filter, a cut, nonsense, a redirection: one sentence each, and no second try."""
    server.otherwise = Reply('{"word": "half', fault=fault)

    with pytest.raises(LanguageModelError, match=why) as caught:
        complete(opened(server, service))

    assert not caught.value.retryable
    assert server.requests == 1


@pytest.mark.parametrize("fault", ["silent", "dripping"])
def test_a_server_that_does_not_come_to_an_end_is_left(
    server: LanguageModelServer, service: Service, fault: Fault
) -> None:
    """Also one that sends a byte now and then, which a client's own timeout never notices."""
    server.otherwise = Reply(fault=fault)

    with pytest.raises(LanguageModelError, match=r"did not answer within 0\.3 seconds") as caught:
        complete(opened(server, service, timeout_seconds=0.3, retries=0))

    assert caught.value.retryable


def test_an_answer_without_end_is_not_read(
    server: LanguageModelServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent's memory is not the service's to fill."""
    monkeypatch.setattr("worker.language_models.bounded.ANSWER_BYTES", 1000)
    server.otherwise = Reply("x" * 1000)

    with pytest.raises(LanguageModelError, match="longer than 1000 bytes"):
        complete(opened(server, service, retries=0))


def test_all_tries_together_end_in_time(server: LanguageModelServer) -> None:
    """The client of a question whose time is over sends nothing more."""
    with bounded_client(20, 0) as http, pytest.raises(httpx2.ReadTimeout, match="no time is left"):
        http.post(f"{server.url}/v1/messages", json={})

    assert server.requests == 0


def test_a_connection_that_breaks_is_tried_again(server: LanguageModelServer, service: Service) -> None:
    """The answer of the second connection counts."""
    server.replies.append(Reply(fault="hung-up"))
    server.otherwise = Reply('{"word": "yes"}')

    assert complete(opened(server, service)) == '{"word": "yes"}'
    assert server.requests == 2


def test_an_address_where_nobody_listens_is_said(server: LanguageModelServer, service: Service) -> None:
    """No connection at all."""
    with pytest.raises(LanguageModelError, match=f"{NAMES[service]} cannot be reached") as caught:
        complete(opened(server, service, endpoint="http://127.0.0.1:9", retries=0))

    assert caught.value.retryable


def test_the_environment_moves_nothing(
    server: LanguageModelServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDKs read addresses, keys and proxies from variables; ours go by the settings alone."""
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_VERTEX_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "GOOGLE_API_KEY", "GEMINI_API_KEY"):
        monkeypatch.setenv(name, "another-key")
    if service != "vertex":  # whose token comes by google-auth, from Google alone
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "false" if service == "vertex" else "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "another-project")
    server.otherwise = Reply('{"word": "yes"}')

    assert complete(opened(server, service)) == '{"word": "yes"}'
