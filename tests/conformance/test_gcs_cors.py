"""CORS as the bucket configures it, for pages that talk to the server themselves."""

from typing import Any

import pytest
from google.cloud import storage

from tests.conformance.gcs_server import QUANTUM, Answer, GcsServer

pytest_plugins = ["tests.conformance.gcs_fixtures"]

PAGE = "http://127.0.0.1:8080"
RULE = {
    "origin": [PAGE],
    "method": ["GET", "PUT", "POST"],
    "responseHeader": ["Content-Type", "Location", "Range", "x-goog-resumable", "Content-Range", "x-goog-meta-*"],
    "maxAgeSeconds": 600,
}


@pytest.fixture
def open_bucket(gcs: GcsServer) -> storage.Bucket:
    return gcs.bucket(cors=[RULE])


def allowed(answer: Answer) -> str | None:
    return answer.headers["Access-Control-Allow-Origin"]


def preflight(gcs: GcsServer, url: str, origin: str = PAGE, method: str = "PUT", headers: str = "") -> Answer:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    return gcs.call(
        "OPTIONS", url, headers={**asked, **({"Access-Control-Request-Headers": headers} if headers else {})}
    )


def test_a_preflight_is_answered_from_the_configuration(gcs: GcsServer, open_bucket: storage.Bucket) -> None:
    """Origin, methods, headers and age, for paths of both APIs and without any signature."""
    for path in (f"/{open_bucket.name}/a/b", f"/upload/storage/v1/b/{open_bucket.name}/o"):
        answer = preflight(gcs, path, headers="content-type, x-goog-resumable, x-goog-meta-owner")
        assert answer.status == 200
        assert allowed(answer) == PAGE
        assert answer.headers["Access-Control-Allow-Methods"] == "GET,PUT,POST"
        assert answer.headers["Access-Control-Allow-Headers"] == "content-type,x-goog-resumable,x-goog-meta-owner"
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert answer.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    "asked", [{"origin": "http://evil.example"}, {"method": "DELETE"}, {"headers": "content-type, x-secret"}]
)
def test_a_preflight_for_more_gets_no_permission(
    gcs: GcsServer, open_bucket: storage.Bucket, asked: dict[str, Any]
) -> None:
    """Another origin, method or header than configured."""
    answer = preflight(gcs, f"/{open_bucket.name}/x", **asked)

    assert (answer.status, allowed(answer)) == (200, None)
    assert answer.headers["Access-Control-Allow-Methods"] is None


def test_answers_show_what_the_configuration_exposes(gcs: GcsServer, open_bucket: storage.Bucket) -> None:
    """Success and refusal alike, so that a page can tell them apart."""
    blob = open_bucket.blob("x")
    blob.upload_from_string(b"x")
    for url in (gcs.sign(blob, "GET"), blob.media_link, f"/{open_bucket.name}/forbidden"):
        answer = gcs.call("GET", url, headers={"Origin": PAGE})
        assert allowed(answer) == PAGE
        assert "Location" in str(answer.headers["Access-Control-Expose-Headers"])
        assert allowed(gcs.call("GET", url, headers={"Origin": "http://evil.example"})) is None
        assert allowed(gcs.call("GET", url)) is None


def test_without_configuration_there_are_no_headers(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """A fresh bucket is closed to pages."""
    bucket.blob("x").upload_from_string(b"x")

    assert allowed(preflight(gcs, f"/{bucket.name}/x", method="GET")) is None
    assert allowed(gcs.call("GET", gcs.sign(bucket.blob("x"), "GET"), headers={"Origin": PAGE})) is None


def test_any_origin_may_be_allowed(gcs: GcsServer) -> None:
    """A star allows every page, and every method."""
    bucket = gcs.bucket(cors=[{"origin": ["*"], "method": ["*"]}])

    answer = preflight(gcs, f"/{bucket.name}/x", origin="https://any.example", method="DELETE")
    assert (allowed(answer), answer.headers["Access-Control-Allow-Methods"]) == ("*", "DELETE")
    assert answer.headers["Access-Control-Max-Age"] == "3600"


def test_the_configuration_can_change(gcs: GcsServer, open_bucket: storage.Bucket) -> None:
    """What is removed is closed at once."""
    assert gcs.client().get_bucket(open_bucket.name).cors == [RULE]
    open_bucket.cors = []
    open_bucket.patch()

    assert allowed(preflight(gcs, f"/{open_bucket.name}/x")) is None


def test_a_page_uploads_through_a_session_of_its_own(gcs: GcsServer, open_bucket: storage.Bucket) -> None:
    """The whole way of a browser: preflight, start, Location, preflight, chunks, status, with its Origin throughout."""
    session = gcs.session(open_bucket.blob("film"), Origin=PAGE)

    assert allowed(preflight(gcs, session, headers="content-range")) == PAGE
    incomplete = gcs.chunk(session, bytes(QUANTUM), 0, QUANTUM + 1, Origin=PAGE)
    assert (incomplete.status, allowed(incomplete)) == (308, PAGE)
    assert "Range" in str(incomplete.headers["Access-Control-Expose-Headers"])
    done = gcs.chunk(session, b"x", QUANTUM, QUANTUM + 1, Origin=PAGE)
    assert (done.status, allowed(done)) == (200, PAGE)


def test_a_session_is_for_the_origin_that_started_it(gcs: GcsServer) -> None:
    """Another page, and any page when a server started it, cannot read the answers."""
    bucket = gcs.bucket(cors=[{**RULE, "origin": [PAGE, "http://other.example"]}])
    started = gcs.session(bucket.blob("x"), Origin=PAGE)
    by_server = gcs.session(bucket.blob("y"))

    assert allowed(gcs.chunk(started, b"x" * QUANTUM, 0, "*", Origin="http://other.example")) is None
    assert allowed(preflight(gcs, by_server, headers="content-range")) is None
    assert allowed(gcs.chunk(by_server, b"x" * QUANTUM, 0, "*", Origin=PAGE)) is None
