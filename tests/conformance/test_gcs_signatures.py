"""V4 signed URLs, made by the real client, held against method, host, path, query, headers and time."""

import http.client
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from google.cloud import storage

from tests.conformance.gcs_server import Answer, GcsServer, code_of, write_key

pytest_plugins = ["tests.conformance.gcs_fixtures"]

HEADERS = {
    "Content-Type": "image/png",
    "x-goog-if-generation-match": "0",
    "x-goog-meta-owner": "ann",
    "x-goog-content-length-range": "1,1000",
}


@pytest.fixture
def blob(bucket: storage.Bucket) -> storage.Blob:
    return bucket.blob("20251203T15Z/dir/a b+ü&=%.png")


def put(gcs: GcsServer, blob: storage.Blob, content: bytes = b"pixels", **replaced: str | None) -> Answer:
    """A signed PUT whose headers are then tampered with; None leaves one out."""
    url = gcs.sign(blob, "PUT", headers=HEADERS)
    changes = {name.replace("_", "-"): value for name, value in replaced.items()}
    headers = {**HEADERS, **{name: value for name, value in changes.items() if value is not None}}
    kept = {name: value for name, value in headers.items() if changes.get(name, "") is not None}
    return gcs.call("PUT", url, content, kept)


def test_a_signed_put_makes_the_object_it_names(gcs: GcsServer, blob: storage.Blob) -> None:
    """Type, metadata and checksums are as signed and sent."""
    answer = put(gcs, blob)

    assert answer.status == 200, answer.body
    blob.reload()
    assert (blob.content_type, blob.metadata, blob.size) == ("image/png", {"owner": "ann"}, 6)
    assert answer.headers["x-goog-generation"] == str(blob.generation)
    assert answer.headers["ETag"]


def test_a_repeated_put_is_told_that_it_has_arrived(gcs: GcsServer, blob: storage.Blob) -> None:
    """if-generation-match 0 is signed: 412 and the first content stays."""
    put(gcs, blob, b"first")
    answer = put(gcs, blob, b"second")

    assert (answer.status, code_of(answer)) == (412, "PreconditionFailed")
    assert blob.download_as_bytes() == b"first"


@pytest.mark.parametrize(("length", "code"), [(0, "EntityTooSmall"), (1001, "EntityTooLarge")])
def test_the_signed_length_range_holds(gcs: GcsServer, blob: storage.Blob, length: int, code: str) -> None:
    """One byte too few or too many is refused."""
    answer = put(gcs, blob, b"x" * length)

    assert (answer.status, code_of(answer)) == (400, code)
    assert not blob.exists()


def test_the_length_range_also_holds_without_content_length(gcs: GcsServer, blob: storage.Blob) -> None:
    """A chunked body is measured while it comes."""
    url = gcs.sign(blob, "PUT", headers=HEADERS)
    body = b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"
    answer = gcs.call("PUT", url, body, {**HEADERS, "Transfer-Encoding": "chunked"})

    assert (answer.status, code_of(answer)) == (400, "EntityTooLarge")
    assert not blob.exists()


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT"])
def test_a_signature_is_for_one_method(gcs: GcsServer, blob: storage.Blob, method: str) -> None:
    """Each method passes with its own signature and with no other."""
    blob.upload_from_string(b"x")
    own = gcs.sign(blob, method)
    others = [gcs.call(other, own) for other in ("GET", "HEAD", "DELETE", "PUT") if other != method]

    assert [answer.status for answer in others] == [403, 403, 403]
    assert {code_of(answer) for answer in others} <= {"SignatureDoesNotMatch", ""}
    assert gcs.call(method, own).status in {200, 204}


def test_a_signature_is_for_one_object_and_query(gcs: GcsServer, bucket: storage.Bucket, blob: storage.Blob) -> None:
    """Another path or another parameter breaks it, and the answer shows what was calculated."""
    blob.upload_from_string(b"x")
    bucket.blob("other").upload_from_string(b"secret")
    url = gcs.sign(blob, "GET")

    other = gcs.call("GET", url.replace(url.split("?")[0], f"{gcs.url}/{bucket.name}/other"))
    assert (other.status, code_of(other)) == (403, "SignatureDoesNotMatch")
    assert b"<CanonicalRequest>GET\n" in other.body
    assert code_of(gcs.call("GET", url + "&response-content-type=text/html")) == "SignatureDoesNotMatch"
    assert code_of(gcs.call("GET", url[:-4] + "0000")) == "SignatureDoesNotMatch"


def test_a_signature_is_for_one_host(gcs: GcsServer, blob: storage.Blob) -> None:
    """The host header is signed."""
    blob.upload_from_string(b"x")
    url = gcs.sign(blob, "GET")

    assert gcs.call("GET", url.replace("127.0.0.1", "localhost")).status == 403
    assert gcs.call("GET", url).status == 200


def test_a_signed_header_cannot_be_changed(gcs: GcsServer, blob: storage.Blob) -> None:
    """Neither the type nor the owner nor the condition."""
    for change in ({"Content_Type": "text/html"}, {"x_goog_meta_owner": "bob"}, {"x_goog_if_generation_match": "5"}):
        answer = put(gcs, blob, b"pixels", **change)
        assert (answer.status, code_of(answer)) == (403, "SignatureDoesNotMatch")


def test_a_signed_header_cannot_be_left_out(gcs: GcsServer, blob: storage.Blob) -> None:
    """The answer names the header that is missing."""
    answer = put(gcs, blob, b"pixels", x_goog_meta_owner=None)

    assert (answer.status, code_of(answer)) == (400, "MalformedSecurityHeader")
    assert b"<ParameterName>x-goog-meta-owner</ParameterName>" in answer.body


def test_an_unsigned_extension_header_is_refused(gcs: GcsServer, blob: storage.Blob) -> None:
    """Nobody slips metadata past the signer."""
    answer = put(gcs, blob, b"pixels", x_goog_meta_pipeline="mine")

    assert (answer.status, code_of(answer)) == (400, "MalformedSecurityHeader")


def test_spaces_and_case_of_headers_do_not_matter(gcs: GcsServer, blob: storage.Blob) -> None:
    """HTTP libraries may write headers in their own way."""
    url = gcs.sign(blob, "PUT", headers={"x-goog-meta-note": "two  words"})

    assert gcs.call("PUT", url, b"x", {"X-Goog-Meta-Note": " two words "}).status == 200


def test_a_path_may_be_escaped_more_than_necessary(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Browsers and servers differ in what they escape; the object named is the same."""
    blob = bucket.blob("a/b-c~d.txt")
    blob.upload_from_string(b"x")
    url = gcs.sign(blob, "GET")

    assert gcs.call("GET", url.replace("a/b-c~d.txt", "%61%2Fb%2Dc%7Ed.txt")).status == 200
    assert gcs.call("GET", url.replace("a/b-c~d.txt", quote("a/b-c~e.txt"))).status == 403


def test_the_whole_url_may_stand_in_the_request_line(gcs: GcsServer, blob: storage.Blob) -> None:
    """As clients behind a proxy write it."""
    blob.upload_from_string(b"x")
    connection = http.client.HTTPConnection("127.0.0.1", gcs.port)
    connection.request("GET", gcs.sign(blob, "GET"))

    assert connection.getresponse().read() == b"x"
    connection.close()


def test_an_expired_url_is_refused(gcs: GcsServer, blob: storage.Blob) -> None:
    """ExpiredToken with the moment it ran out."""
    past = datetime.now(UTC) - timedelta(hours=1)
    url = gcs.sign(blob, "GET", expiration=timedelta(seconds=1))
    stamped = url.replace(url.split("X-Goog-Date=")[1][:16], past.strftime("%Y%m%dT%H%M%SZ"))
    answer = gcs.call("GET", stamped)

    assert (answer.status, code_of(answer)) == (400, "ExpiredToken")
    assert b"expired at" in answer.body


def test_a_url_cannot_live_longer_than_a_week(gcs: GcsServer, blob: storage.Blob) -> None:
    """Nor be from the future, nor leave out what it needs."""
    url = gcs.sign(blob, "GET")
    future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")

    for tampered in (
        url.replace("X-Goog-Expires=900", "X-Goog-Expires=604801"),
        url.replace("X-Goog-Expires=900", "X-Goog-Expires=x"),
        url.replace(url.split("X-Goog-Date=")[1][:16], future),
        url.replace("X-Goog-Algorithm=GOOG4-RSA-SHA256&", ""),
        url.replace("GOOG4-RSA-SHA256", "GOOG4-HMAC-SHA256"),
        url.replace("goog4_request", "other"),
        url.split("&X-Goog-Signature")[0] + "&X-Goog-Signature=xyz",
    ):
        assert gcs.call("GET", tampered).status == 400, tampered


def test_strangers_cannot_sign(gcs: GcsServer, blob: storage.Blob, tmp_path: Path) -> None:
    """Neither under their own name nor under that of a known account."""
    stranger = write_key(tmp_path / "stranger.json", "stranger@elsewhere.iam.gserviceaccount.com")
    forger = write_key(tmp_path / "forger.json")

    assert code_of(gcs.call("GET", gcs.sign(blob, "GET", key=stranger))) == "AccessDenied"
    assert code_of(gcs.call("GET", gcs.sign(blob, "GET", key=forger))) == "SignatureDoesNotMatch"


def test_a_key_may_appear_later(tmp_path: Path) -> None:
    """Key files that are not there at the start are read when they are needed."""
    later = tmp_path / "later.json"
    with GcsServer(tmp_path, "--signer-key", str(later)) as gcs:
        blob = gcs.bucket().blob("x")
        blob.upload_from_string(b"x")
        write_key(later, "later@mill-project.iam.gserviceaccount.com")

        assert gcs.call("GET", gcs.sign(blob, "GET", key=later)).status == 200


def test_the_xml_api_refuses_the_anonymous(gcs: GcsServer, blob: storage.Blob) -> None:
    """No signature, no answer, whether or not there is an object."""
    blob.upload_from_string(b"x")
    for method in ("GET", "PUT", "DELETE"):
        answer = gcs.call(method, f"/{blob.bucket.name}/{quote(blob.name)}")
        assert (answer.status, code_of(answer)) == (403, "AccessDenied")
    answer = gcs.call("POST", f"/{blob.bucket.name}/x", headers={"x-goog-resumable": "start"})
    assert (answer.status, code_of(answer)) == (403, "AccessDenied")


def test_the_anonymous_may_be_let_in(tmp_path: Path) -> None:
    """--allow-anonymous-xml, for tests that do not care."""
    with GcsServer(tmp_path, "--allow-anonymous-xml") as gcs:
        bucket = gcs.bucket()

        assert gcs.call("PUT", f"/{bucket.name}/x", b"content").status == 200
        assert gcs.call("GET", f"/{bucket.name}/x").body == b"content"
        assert gcs.call("DELETE", f"/{bucket.name}/x").status == 204


def test_missing_things_are_named_in_xml(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """NoSuchKey and NoSuchBucket to those who may know."""
    missing = gcs.call("GET", gcs.sign(bucket.blob("nothing"), "GET"))
    assert (missing.status, code_of(missing)) == (404, "NoSuchKey")
    nowhere = gcs.call("GET", gcs.sign(gcs.client().bucket("no-such-bucket").blob("x"), "GET"))
    assert (nowhere.status, code_of(nowhere)) == (404, "NoSuchBucket")


def test_a_refused_client_need_not_send_its_body(gcs: GcsServer, blob: storage.Blob) -> None:
    """Expect: 100-continue is answered by the refusal, not by an invitation."""
    headers = {"Expect": "100-continue", "Content-Length": "1000000"}

    assert gcs.call("PUT", f"/{blob.bucket.name}/x", headers=headers).status == 403


def test_conditions_in_headers_hold_on_signed_requests(gcs: GcsServer, blob: storage.Blob) -> None:
    """GET, HEAD, PUT and DELETE of another generation are refused, 304 for not-match on reads."""
    blob.upload_from_string(b"x")
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        for header, number in (("generation", "1"), ("metageneration", "7")):
            headers = {f"x-goog-if-{header}-match": number}
            assert gcs.call(method, gcs.sign(blob, method, headers=headers), headers=headers).status == 412
    headers = {"x-goog-if-generation-not-match": str(blob.generation)}
    assert gcs.call("GET", gcs.sign(blob, "GET", headers=headers), headers=headers).status == 304
    headers = {"x-goog-if-generation-match": str(blob.generation), "x-goog-if-metageneration-match": "1"}
    assert gcs.call("GET", gcs.sign(blob, "GET", headers=headers), headers=headers).body == b"x"
    assert gcs.call("DELETE", gcs.sign(blob, "DELETE", headers=headers), headers=headers).status == 204


def test_a_signature_may_stand_in_the_authorization_header(gcs: GcsServer, blob: storage.Blob) -> None:
    """What cannot be verified there is refused; a bearer token is believed, for only Google could check it."""
    blob.upload_from_string(b"x")
    path = f"/{blob.bucket.name}/{quote(blob.name)}"

    assert gcs.call("GET", path, headers={"Authorization": "Bearer any-token"}).body == b"x"
    forged = f"GOOG4-RSA-SHA256 Credential=a@b/{datetime.now(UTC):%Y%m%d}/auto/storage/goog4_request,"
    forged += "SignedHeaders=host;x-goog-date,Signature=00"
    headers = {"x-goog-date": f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"}
    assert gcs.call("GET", path, headers={**headers, "Authorization": forged}).status == 403
    assert gcs.call("GET", path, headers={**headers, "Authorization": "GOOG4-RSA-SHA256 nonsense"}).status == 400
