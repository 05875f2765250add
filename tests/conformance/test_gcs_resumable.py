"""Resumable sessions of both APIs, byte by byte on bare connections."""

from collections.abc import Iterator

import pytest
import requests
from google.cloud import storage

from tests.conformance.gcs_server import QUANTUM, GcsServer, code_of, until

pytest_plugins = ["tests.conformance.gcs_fixtures"]

CONTENT = bytes(range(256)) * (3 * QUANTUM // 256) + b"the odd end"


@pytest.fixture(params=["xml", "json"])
def session(request: pytest.FixtureRequest, gcs: GcsServer, bucket: storage.Bucket) -> str:
    """A session for the object ``film``."""
    if request.param == "xml":
        return gcs.session(bucket.blob("film"), content_type="video/mp4", x_goog_meta_owner="ann")
    return gcs.json_session(bucket, "name=film", {"contentType": "video/mp4", "metadata": {"owner": "ann"}})


def film(bucket: storage.Bucket) -> bytes:
    """The finished object's content, once it is checked that it carries what the session laid down."""
    blob = bucket.get_blob("film")
    assert (blob.content_type, blob.metadata) == ("video/mp4", {"owner": "ann"})
    return bytes(blob.download_as_bytes())


def test_chunks_make_an_object(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """308 with Range after each chunk, 200 after the last, and only then an object."""
    total = len(CONTENT)
    for first in range(0, 3 * QUANTUM, QUANTUM):
        answer = gcs.chunk(session, CONTENT[first : first + QUANTUM], first, total)
        assert (answer.status, answer.headers["Range"]) == (308, f"bytes=0-{first + QUANTUM - 1}")
        assert answer.headers["Location"] is None
        assert not bucket.blob("film").exists()

    assert gcs.chunk(session, CONTENT[3 * QUANTUM :], 3 * QUANTUM, total).status == 200
    assert film(bucket) == CONTENT


def test_one_put_without_a_range_is_all_of_it(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """A session may be used like a plain upload."""
    assert gcs.call("PUT", session, CONTENT).status == 200
    assert film(bucket) == CONTENT


def test_a_status_query_says_how_far_it_is(gcs: GcsServer, session: str) -> None:
    """No Range when nothing arrived, then what is durable."""
    assert (gcs.status(session).status, gcs.status(session).headers["Range"]) == (308, None)
    gcs.chunk(session, CONTENT[:QUANTUM], 0, "*")

    for total in ("*", len(CONTENT)):
        answer = gcs.status(session, total)
        assert (answer.status, answer.headers["Range"]) == (308, f"bytes=0-{QUANTUM - 1}")


def test_a_status_query_never_finishes_a_truncated_upload(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """However often one asks, missing bytes are missing."""
    gcs.chunk(session, CONTENT[: 2 * QUANTUM], 0, len(CONTENT))

    for _ in range(5):
        assert gcs.status(session, len(CONTENT)).status == 308
        assert gcs.status(session).status == 308
    assert not bucket.blob("film").exists()


def test_the_total_may_come_after_the_last_byte(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """A stream that ends on a chunk's border is finished by an empty PUT with the total."""
    assert gcs.chunk(session, CONTENT[:QUANTUM], 0, "*").status == 308

    assert gcs.status(session, QUANTUM).status == 200
    assert film(bucket) == CONTENT[:QUANTUM]


def test_an_empty_object_is_finished_by_its_total(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """Clients upload nothing with a total of 0."""
    assert gcs.status(session, 0).status == 200
    assert film(bucket) == b""


def test_an_odd_chunk_is_kept_in_quanta(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """What is over a multiple of 256 KiB must be sent again."""
    answer = gcs.chunk(session, CONTENT[: QUANTUM + 1000], 0, len(CONTENT))
    assert (answer.status, answer.headers["Range"]) == (308, f"bytes=0-{QUANTUM - 1}")

    assert gcs.chunk(session, CONTENT[QUANTUM:], QUANTUM, len(CONTENT)).status == 200
    assert film(bucket) == CONTENT


def test_overlap_is_ignored(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """Bytes that are kept already count, not those sent again."""
    gcs.chunk(session, CONTENT[: 2 * QUANTUM], 0, len(CONTENT))
    answer = gcs.chunk(session, b"?" * QUANTUM, QUANTUM, len(CONTENT))
    assert (answer.status, answer.headers["Range"]) == (308, f"bytes=0-{2 * QUANTUM - 1}")

    assert gcs.chunk(session, b"?" * QUANTUM + CONTENT[2 * QUANTUM :], QUANTUM, len(CONTENT)).status == 200
    assert film(bucket) == CONTENT


def test_a_gap_is_refused(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """503, as the real service has it, and the session goes on where it was."""
    gcs.chunk(session, CONTENT[:QUANTUM], 0, len(CONTENT))
    answer = gcs.chunk(session, CONTENT[2 * QUANTUM :], 2 * QUANTUM, len(CONTENT))

    assert answer.status == 503
    assert b"exceeds already uploaded size of 262144 byte(s)" in answer.body
    assert gcs.chunk(session, CONTENT[QUANTUM:], QUANTUM, len(CONTENT)).status == 200
    assert film(bucket) == CONTENT


def test_a_cut_connection_keeps_what_arrived(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """In steps of 256 KiB; the rest makes the object whole."""
    span = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}", "Content-Length": str(len(CONTENT))}
    gcs.cut_short(session, CONTENT[: QUANTUM + 5000], span)

    kept = until(lambda: gcs.status(session, len(CONTENT)).headers["Range"], "bytes were kept")
    assert kept == f"bytes=0-{QUANTUM - 1}"
    assert not bucket.blob("film").exists()
    assert gcs.chunk(session, CONTENT[QUANTUM:], QUANTUM, len(CONTENT)).status == 200
    assert film(bucket) == CONTENT


def test_a_newer_request_ends_one_that_hangs(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """A client whose old connection is half dead need not wait until the server notices."""

    def half() -> Iterator[bytes]:
        yield CONTENT[:QUANTUM]
        until(lambda: gcs.chunk(session, CONTENT, 0, len(CONTENT)).status == 200, "the newer request is served")
        yield CONTENT[QUANTUM:]

    headers = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
    with pytest.raises(requests.ConnectionError):
        requests.put(session, data=half(), headers=headers, timeout=20)
    assert film(bucket) == CONTENT


def test_a_repeated_last_chunk_is_answered_again(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """A client that lost the answer asks again and hears that it is done."""
    gcs.call("PUT", session, CONTENT)
    generation = bucket.get_blob("film").generation

    assert gcs.chunk(session, CONTENT[QUANTUM:], QUANTUM, len(CONTENT)).status == 200
    assert gcs.status(session, len(CONTENT)).status == 200
    assert bucket.get_blob("film").generation == generation


def test_a_cancelled_session_is_over(own_gcs: GcsServer) -> None:
    """499, now and later, and its bytes are deleted."""
    bucket = own_gcs.bucket()
    session = own_gcs.session(bucket.blob("film"))
    own_gcs.chunk(session, CONTENT[:QUANTUM], 0, len(CONTENT))

    assert own_gcs.call("DELETE", session, headers={"Content-Length": "0"}).status == 499
    assert own_gcs.status(session).status == 499
    assert own_gcs.chunk(session, CONTENT, 0, len(CONTENT)).status == 499
    until(lambda: own_gcs.bodies == [], "no body is left")


def test_a_session_nobody_started_is_not_found(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Neither to go on with nor to cancel."""
    for path in (f"/{bucket.name}/x?upload_id=nope", f"/upload/storage/v1/b/{bucket.name}/o?upload_id=nope"):
        assert gcs.call("PUT", path, b"x").status == 404
        assert gcs.call("DELETE", path).status == 404


@pytest.mark.parametrize("span", ["bytes 5-1/10", "bytes 0-10/5", "octets 0-1/2", "bytes 0-1", "bytes -5/10"])
def test_a_range_that_makes_no_sense_is_refused(gcs: GcsServer, session: str, span: str) -> None:
    """400, and the session is as before."""
    assert gcs.call("PUT", session, b"xx", {"Content-Range": span}).status == 400
    assert gcs.status(session).status == 308


def test_a_chunk_must_have_the_length_it_announces(gcs: GcsServer, bucket: storage.Bucket, session: str) -> None:
    """More or fewer bytes than Content-Range says are refused and make no object."""
    for content in (b"four", b"seven.."):
        assert gcs.call("PUT", session, content, {"Content-Range": "bytes 0-4/5"}).status == 400
    assert not bucket.blob("film").exists()
    assert gcs.call("PUT", session, b"five!", {"Content-Range": "bytes 0-4/5"}).status == 200


def test_a_declared_length_is_held_to(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """X-Upload-Content-Length of the first request binds the later ones."""
    answer = requests.post(
        f"{gcs.url}/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name=film",
        headers={"X-Upload-Content-Length": "10", "X-Upload-Content-Type": "video/mp4"},
        timeout=20,
    )
    session = answer.headers["Location"]

    assert gcs.chunk(session, b"12345", 0, 5).status == 400
    assert gcs.chunk(session, b"1234567890", 0, 10).status == 200
    assert bucket.get_blob("film").content_type == "video/mp4"


def test_preconditions_are_remembered_to_the_end(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """An object that appears while the upload is under way wins; one that is there refuses the start."""
    sessions = [
        gcs.session(bucket.blob("film"), x_goog_if_generation_match="0"),
        gcs.json_session(bucket, "name=film&ifGenerationMatch=0"),
    ]
    bucket.blob("film").upload_from_string(b"first")

    for session in sessions:
        assert gcs.call("PUT", session, CONTENT).status == 412
        assert gcs.call("PUT", session, CONTENT).status == 412
    headers = {"x-goog-resumable": "start", "x-goog-if-generation-match": "0"}
    late = gcs.call("POST", gcs.sign(bucket.blob("film"), "POST", headers=headers), headers=headers)
    assert (late.status, code_of(late)) == (412, "PreconditionFailed")
    assert bucket.blob("film").download_as_bytes() == b"first"


def test_the_signed_length_range_holds_for_sessions(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Too large or too small is refused as soon as the total is known, at the latest at the end."""
    session = gcs.session(bucket.blob("film"), x_goog_content_length_range="10,20")

    large = gcs.chunk(session, b"x" * 21, 0, 21)
    assert (large.status, code_of(large)) == (400, "EntityTooLarge")
    small = gcs.chunk(session, b"x" * 9, 0, 9)
    assert (small.status, code_of(small)) == (400, "EntityTooSmall")
    assert not bucket.blob("film").exists()
    assert gcs.chunk(session, b"x" * 20, 0, 20).status == 200


def test_clients_that_cannot_read_308_get_200(gcs: GcsServer, session: str) -> None:
    """X-GUploader-No-308, as Go's client asks."""
    answer = gcs.chunk(session, CONTENT[:QUANTUM], 0, "*", **{"X-GUploader-No-308": "yes"})

    assert (answer.status, answer.headers["X-HTTP-Status-Code-Override"]) == (200, "308")
    assert answer.headers["Range"] == f"bytes=0-{QUANTUM - 1}"


def test_the_finished_session_answers_in_its_apis_form(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """A resource in JSON; headers and no body in XML."""
    made = gcs.call("PUT", gcs.json_session(bucket, "name=one"), b"x")
    assert (made.json["name"], made.json["size"]) == ("one", "1")
    put = gcs.call("PUT", gcs.session(bucket.blob("two")), b"x")
    assert (put.body, put.headers["x-goog-generation"]) == (b"", str(bucket.get_blob("two").generation))


def test_a_session_url_leads_back_the_way_it_was_asked_for(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Whoever reaches the server as localhost gets a Location on localhost."""
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=resumable&name=film"
    answer = gcs.call("POST", f"http://localhost:{gcs.port}{path}", b"{}")

    assert str(answer.headers["Location"]).startswith(f"http://localhost:{gcs.port}/")


def test_a_week_old_session_is_forgotten(own_gcs: GcsServer) -> None:
    """The lifecycle task drops sessions nobody finished, and their bytes."""
    session = own_gcs.session(own_gcs.bucket().blob("film"))
    own_gcs.chunk(session, CONTENT[:QUANTUM], 0, len(CONTENT))

    assert own_gcs.call("POST", "/_spotmill/lifecycle").status == 200
    assert own_gcs.status(session).status == 308
    assert own_gcs.call("POST", "/_spotmill/lifecycle?now=2999-01-01T00:00:00Z").status == 200
    assert own_gcs.status(session).status == 404
    until(lambda: own_gcs.bodies == [], "no body is left")
