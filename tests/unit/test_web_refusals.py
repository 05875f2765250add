"""What the web service says when it cannot or will not: in words, in the right form, with nothing leaked."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from services.web.app import create_app
from shared.settings import WebSettings, load
from tests.iap import AUDIENCE

HERE = {"REMOTE_ADDR": "127.0.0.1"}
#: Nothing listens there: the database is away.
NOWHERE = "postgresql+pg8000://web:secret-word@127.0.0.1:9/spotmill"
BASE = {"project": "p", "database_url": NOWHERE, "upload_bucket": "up", "result_bucket": "down"}
EVIL = "https://evil.example"


def make(**values: Any) -> Flask:
    return create_app(WebSettings.model_validate(BASE | {"dev_user": "you@localhost"} | values))


@pytest.fixture(scope="module")
def app() -> Flask:
    return make()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base |= HERE
    return client


def is_problem(answer: TestResponse, status: int) -> bool:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    body = answer.get_json()
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return True


def test_health_needs_nobody_and_nothing(client: FlaskClient) -> None:
    """The check that the service is up asks for no sign-in and no database."""
    for path in ("/health", "/api/v1/health"):
        answer = client.get(path, environ_overrides={"REMOTE_ADDR": "10.0.0.1"})
        assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_a_database_that_is_away_is_said_so(client: FlaskClient) -> None:
    """The API answers 503 with a time to wait, a page says it in words, and neither shows the password."""
    for path in ("/api/v1/jobs", "/api/v1/queue", "/api/v1/health?deep=1"):
        answer = client.get(path)
        assert is_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) > 0
        assert "secret-word" not in answer.text
    page = client.get("/")
    assert page.status_code == 503
    assert page.mimetype == "text/html"
    assert "database does not answer" in page.text
    assert "Traceback" not in page.text


def test_unknown_addresses_and_methods(client: FlaskClient) -> None:
    """What does not exist is a problem under /api and a page anywhere else; a wrong method names the right ones."""
    assert is_problem(client.get("/api/v1/nothing"), 404)
    assert is_problem(client.get("/api/v1/jobs/not-a-uuid"), 404)
    refused = client.delete("/api/v1/jobs")
    assert is_problem(refused, 405)
    assert "GET" in refused.headers["Allow"]
    page = client.get("/nothing")
    assert (page.status_code, page.mimetype) == (404, "text/html")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"filename": "a", "size": "5"}', 422),
        (b'{"filename": "a", "size": 0}', 422),
        (b'{"filename": "", "size": 1}', 422),
        (b'{"filename": "a", "size": 1, "owner": "grace@example.org"}', 422),
        (b'{"filename": "a", "size": 1, "content_type": "image"}', 422),
        (b'{"filename": "a", "size": 1, "content_type": "image/jpeg\\r\\nx-goog-meta-owner: x"}', 422),
        (b'{"filename": "a", "size": 6000000000000}', 422),
        (b"x" * 100_000, 413),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_body_that_is_not_as_described_is_refused(client: FlaskClient, body: bytes, status: int) -> None:
    """Each fault is named, before anything is asked of the database."""
    answer = client.post("/api/v1/uploads", data=body, content_type="application/json")
    assert is_problem(answer, status)
    if status == 422:
        assert answer.get_json()["errors"]


def test_only_json_is_taken(client: FlaskClient) -> None:
    """A form of another site cannot pass for a call of the API."""
    answer = client.post("/api/v1/uploads", data='{"filename": "a", "size": 1}', content_type="text/plain")
    assert is_problem(answer, 415)


@pytest.mark.parametrize("query", ["status=nothing", "limit=0", "limit=201", "limit=x", "limit=1&limit=2", "q=%00"])
def test_a_query_that_makes_no_sense_is_refused(client: FlaskClient, query: str) -> None:
    """Wrong parameters are named, on the page as in the API."""
    assert is_problem(client.get(f"/api/v1/jobs?{query}"), 422)
    assert client.get(f"/?{query}").status_code == 422


def test_a_pattern_is_put_in_words(client: FlaskClient) -> None:
    """Who mistypes a state or a media type reads what is possible, not a regular expression."""
    detail = client.get("/api/v1/jobs?status=bogus").get_json()["detail"]
    states = "queued, running, succeeded, failed, cancelled, superseded"
    assert detail == f"status: Name one or more states, separated by commas: {states}."
    wish = b'{"filename": "a", "size": 1, "content_type": "image"}'
    answer = client.post("/api/v1/uploads", data=wish, content_type="application/json")
    assert answer.get_json()["detail"] == "content_type: This is no media type such as image/jpeg."


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": EVIL, "Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/current/stop", "/run", "/upload"])
def test_another_sites_page_changes_nothing(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    """Every write from a foreign page is refused before it is read."""
    answer = client.post(path, headers=headers, json={})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://127.0.0.1:8080"}, {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}],
    ids=str,
)
def test_our_own_pages_and_programs_may_write(client: FlaskClient, headers: dict[str, str]) -> None:
    """A page of this service, under either name of this machine, and a program without a page get past the check."""
    assert is_problem(client.post("/api/v1/uploads", headers=headers, json={}), 422)


def test_nobody_gets_in_from_elsewhere(client: FlaskClient) -> None:
    """Without a sign-in everything but health is refused, unknown addresses and writes included."""
    for path in ("/api/v1/jobs", "/api/v1/openapi.json", "/api/v1/nothing"):
        assert is_problem(client.get(path, environ_overrides={"REMOTE_ADDR": "10.0.0.9"}), 401)
    page = client.get("/", environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
    assert (page.status_code, page.mimetype) == (401, "text/html")
    assert "sign in" in page.text.lower()
    assert "you@localhost" not in page.text


def test_every_answer_carries_the_protecting_headers(client: FlaskClient) -> None:
    """Pages, API and errors forbid framing, sniffing and foreign or inline script."""
    for path in ("/", "/health", "/api/v1/nothing", "/static/app.css"):
        headers = client.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert "https://storage.googleapis.com" in policy["connect-src"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "Set-Cookie" not in headers
        assert "Strict-Transport-Security" not in headers


def test_a_public_service_insists_on_https() -> None:
    """Behind IAP browsers are told to come back over https only, and the storage's own address may be fetched."""
    settings = {"dev_user": None, "iap_audience": AUDIENCE, "web_url": "https://spotmill.example.org"}
    client = make(**settings, storage_public_url="https://storage.example.org/base").test_client()
    headers = client.get("/health").headers
    assert "max-age=" in headers["Strict-Transport-Security"]
    assert "connect-src 'self' https://storage.example.org;" in headers["Content-Security-Policy"]
    assert is_problem(client.get("/api/v1/jobs"), 401)


def test_missing_settings_are_named_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """With settings missing nothing starts: every page, the API and the health check name each of them."""
    for name in ("GOOGLE_CLOUD_PROJECT", "DATABASE_URL", "SPOTMILL_UPLOAD_BUCKET", "SPOTMILL_DEV_USER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPOTMILL_MAX_WORKERS", "many")
    load.cache_clear()
    client = create_app().test_client()
    for path in ("/", "/upload", "/health", "/api/v1/health", "/api/v1/jobs", "/nothing"):
        answer = client.get(path)
        assert answer.status_code == 503
        for name in ("GOOGLE_CLOUD_PROJECT", "SPOTMILL_UPLOAD_BUCKET", "SPOTMILL_MAX_WORKERS"):
            assert name in answer.text
    assert is_problem(client.post("/api/v1/runs", json={}), 503)
    assert client.get("/static/app.css").status_code == 200


def test_a_development_user_in_public_is_named_as_the_fault() -> None:
    """The two settings that contradict each other are on the page, and nobody gets in."""
    answer = make(web_url="https://spotmill.example.org").test_client().get("/")
    assert answer.status_code == 503
    assert "SPOTMILL_DEV_USER" in answer.text
    assert "SPOTMILL_WEB_URL" in answer.text


def test_a_key_that_cannot_be_read_is_named_as_the_fault(tmp_path: Path) -> None:
    """A wrong path to the signing key is found at the start, not at the first upload."""
    for file in (tmp_path / "missing.json", tmp_path):
        answer = make(signer_key=str(file)).test_client().get("/")
        assert answer.status_code == 503
        assert "SPOTMILL_SIGNER_KEY" in answer.text


def test_our_own_errors_show_nothing_of_the_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the code is a plain sentence to the outside."""

    def fail(*_: object) -> None:
        raise RuntimeError("secret-word")

    client = make().test_client()
    client.environ_base |= HERE
    monkeypatch.setattr("services.web.backends.Backends.transaction", fail)
    answer = client.get("/api/v1/jobs")
    assert is_problem(answer, 500)
    page = client.get("/")
    assert (page.status_code, page.mimetype) == (500, "text/html")
    for text in (answer.text, page.text):
        assert "secret-word" not in text
        assert "Traceback" not in text
