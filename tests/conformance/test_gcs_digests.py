"""Bytes that are not what their sender says they are never become an object."""

import base64
import hashlib

import google_crc32c
import pytest
import requests
from google.cloud import storage

from tests.conformance.gcs_server import QUANTUM, GcsServer, code_of

pytest_plugins = ["tests.conformance.gcs_fixtures"]

CONTENT = b"the right bytes"
MD5 = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()
CRC32C = base64.b64encode(google_crc32c.value(CONTENT).to_bytes(4, "big")).decode()
WRONG_MD5 = base64.b64encode(bytes(16)).decode()
WRONG_CRC32C = base64.b64encode(bytes(4)).decode()

GOOD = [{"Content-MD5": MD5}, {"x-goog-hash": f"crc32c={CRC32C}"}, {"x-goog-hash": f"crc32c={CRC32C},md5={MD5}"}]
BAD = [
    {"Content-MD5": WRONG_MD5},
    {"x-goog-hash": f"crc32c={WRONG_CRC32C}"},
    {"x-goog-hash": f"crc32c={CRC32C},md5={WRONG_MD5}"},
]


@pytest.mark.parametrize("headers", GOOD)
def test_a_signed_put_with_right_hashes_is_taken(
    gcs: GcsServer, bucket: storage.Bucket, headers: dict[str, str]
) -> None:
    """Hashes in headers are held against the bytes, and these match."""
    answer = gcs.call("PUT", gcs.sign(bucket.blob("x"), "PUT", headers=headers), CONTENT, headers)

    assert answer.status == 200, answer.body
    assert answer.headers["x-goog-hash"] == f"crc32c={CRC32C},md5={MD5}"


@pytest.mark.parametrize("headers", BAD)
def test_a_signed_put_with_a_wrong_hash_is_refused(
    gcs: GcsServer, bucket: storage.Bucket, headers: dict[str, str]
) -> None:
    """400 BadDigest, no object, nothing replaced."""
    answer = gcs.call("PUT", gcs.sign(bucket.blob("x"), "PUT", headers=headers), CONTENT, headers)

    assert (answer.status, code_of(answer)) == (400, "BadDigest")
    assert not bucket.blob("x").exists()


def test_a_hash_that_is_none_is_refused(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """What is not base64 of the right length cannot be checked."""
    headers = {"Content-MD5": "nonsense"}
    answer = gcs.call("PUT", gcs.sign(bucket.blob("x"), "PUT", headers=headers), CONTENT, headers)

    assert (answer.status, code_of(answer)) == (400, "InvalidDigest")


@pytest.mark.parametrize("wrong", [{"crc32c": WRONG_CRC32C}, {"md5Hash": WRONG_MD5}])
def test_wrong_hashes_in_metadata_are_refused(gcs: GcsServer, bucket: storage.Bucket, wrong: dict[str, str]) -> None:
    """Multipart and resumable uploads check crc32c and md5Hash of the resource."""
    blob = bucket.blob("x")
    blob._properties.update(wrong)
    body = b'--b\r\n\r\n{"name": "x", "%s": "%s"}\r\n--b\r\n\r\n%s\r\n--b--' % (
        *(text.encode() for pair in wrong.items() for text in pair),
        CONTENT,
    )
    path = f"{gcs.url}/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart"
    multipart = requests.post(path, body, headers={"Content-Type": "multipart/related; boundary=b"}, timeout=20)
    session = gcs.json_session(bucket, "name=x", wrong)
    resumable = gcs.chunk(session, CONTENT, 0, len(CONTENT))

    assert (multipart.status_code, resumable.status) == (400, 400)
    assert "doesn't match calculated" in multipart.json()["error"]["message"]
    assert not bucket.blob("x").exists()


def test_the_hash_of_the_last_chunk_counts(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """x-goog-hash may come as late as with the final chunk of a session, and covers the whole object."""
    content = bytes(QUANTUM) + CONTENT
    crc32c = base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
    for given, status in ((WRONG_CRC32C, 400), (crc32c, 200)):
        session = gcs.session(bucket.blob(f"object-{status}"))
        assert gcs.chunk(session, content[:QUANTUM], 0, len(content)).status == 308
        answer = gcs.chunk(session, CONTENT, QUANTUM, len(content), **{"x-goog-hash": f"crc32c={given}"})
        assert answer.status == status

    assert [blob.name for blob in bucket.list_blobs()] == ["object-200"]


def test_the_client_checks_on_upload(bucket: storage.Bucket) -> None:
    """The client's own md5 and crc32c checks pass for all kinds of upload."""
    for checksum in ("md5", "crc32c"):
        bucket.blob("multipart").upload_from_string(CONTENT, checksum=checksum)
        bucket.blob("resumable", chunk_size=QUANTUM).upload_from_string(CONTENT * QUANTUM, checksum=checksum)

    assert bucket.get_blob("multipart").crc32c == CRC32C
