"""Downloads: ranges, headers, checksums, and what HTTP caches ask."""

import gzip
import io

import pytest
import requests
from google.api_core import exceptions
from google.cloud import storage

from tests.conformance.gcs_server import GcsServer, code_of

pytest_plugins = ["tests.conformance.gcs_fixtures"]

CONTENT = bytes(range(200))


@pytest.fixture
def blob(bucket: storage.Bucket) -> storage.Blob:
    blob = bucket.blob("dir/file.bin")
    blob.metadata = {"owner": "ann"}
    blob.upload_from_string(CONTENT, content_type="video/mp4")
    return blob


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=150-", 150, 199),
        ("bytes=-7", 193, 199),
        ("bytes=-500", 0, 199),
        ("bytes=190-9999", 190, 199),
    ],
)
def test_a_range_is_answered_with_just_those_bytes(
    gcs: GcsServer, blob: storage.Blob, asked: str, first: int, last: int
) -> None:
    """206, Content-Range, and not a byte more, in both APIs."""
    for url in (blob.media_link, gcs.sign(blob, "GET")):
        answer = gcs.call("GET", url, headers={"Range": asked})
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/200"
        assert answer.headers["Content-Length"] == str(last - first + 1)
        assert answer.body == CONTENT[first : last + 1]


@pytest.mark.parametrize("asked", ["bytes=200-", "bytes=500-600", "bytes=-0"])
def test_a_range_outside_the_object_is_not_satisfiable(gcs: GcsServer, blob: storage.Blob, asked: str) -> None:
    """416, with the code of the XML API."""
    answer = gcs.call("GET", gcs.sign(blob, "GET"), headers={"Range": asked})

    assert (answer.status, code_of(answer)) == (416, "InvalidRange")
    with pytest.raises(exceptions.RequestRangeNotSatisfiable):
        blob.download_as_bytes(start=200)


@pytest.mark.parametrize("asked", ["lines=1-2", "bytes=5-1", "bytes=0-1,5-6", "bytes=-"])
def test_what_is_no_single_byte_range_is_ignored(gcs: GcsServer, blob: storage.Blob, asked: str) -> None:
    """The whole object comes with 200."""
    answer = gcs.call("GET", blob.media_link, headers={"Range": asked})

    assert (answer.status, answer.body) == (200, CONTENT)


def test_an_empty_object_is_downloaded(bucket: storage.Bucket) -> None:
    """Nothing at all is content too."""
    bucket.blob("empty").upload_from_string(b"")

    assert bucket.blob("empty").download_as_bytes() == b""
    assert bucket.get_blob("empty").crc32c == "AAAAAA=="


def test_downloads_say_what_they_are(gcs: GcsServer, blob: storage.Blob) -> None:
    """Hashes, generation, stored length, type and custom metadata stand in the headers of both APIs."""
    for url in (blob.media_link, gcs.sign(blob, "GET")):
        headers = gcs.call("GET", url).headers
        assert headers["x-goog-hash"] == f"crc32c={blob.crc32c},md5={blob.md5_hash}"
        assert headers["x-goog-generation"] == str(blob.generation)
        assert headers["x-goog-metageneration"] == "1"
        assert headers["x-goog-stored-content-length"] == "200"
        assert headers["x-goog-stored-content-encoding"] == "identity"
        assert headers["x-goog-storage-class"] == "STANDARD"
        assert headers["x-goog-meta-owner"] == "ann"
        assert headers["Content-Type"] == "video/mp4"
        assert headers["Last-Modified"].endswith("GMT")
        assert headers["ETag"]


def test_head_gives_headers_and_no_body(gcs: GcsServer, blob: storage.Blob) -> None:
    """What a player asks first."""
    answer = gcs.call("HEAD", gcs.sign(blob, "HEAD"))

    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == "200"
    assert gcs.call("HEAD", gcs.sign(blob.bucket.blob("nothing"), "HEAD")).status == 404


def test_etag_conditions_save_a_transfer(gcs: GcsServer, blob: storage.Blob) -> None:
    """If-None-Match, If-Match and If-Modified-Since on the XML API."""
    url = gcs.sign(blob, "GET")
    first = gcs.call("GET", url)

    same = gcs.call("GET", url, headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status, same.body) == (304, b"")
    assert gcs.call("GET", url, headers={"If-None-Match": '"other"'}).status == 200
    assert gcs.call("GET", url, headers={"If-Match": '"other"'}).status == 412
    assert gcs.call("GET", url, headers={"If-Match": first.headers["ETag"]}).status == 200
    assert gcs.call("GET", url, headers={"If-Modified-Since": first.headers["Last-Modified"]}).status == 304


def test_a_signed_url_names_the_download(gcs: GcsServer, blob: storage.Blob) -> None:
    """response-content-disposition and -type in the signed query replace what is stored."""
    url = gcs.sign(blob, "GET", response_disposition='attachment; filename="b c.mp4"', response_type="text/plain")
    headers = gcs.call("GET", url).headers

    assert headers["Content-Disposition"] == 'attachment; filename="b c.mp4"'
    assert headers["Content-Type"] == "text/plain"


def test_the_client_verifies_what_it_downloads(bucket: storage.Bucket, blob: storage.Blob) -> None:
    """Streamed downloads with crc32c and md5 checks pass."""
    for checksum in ("crc32c", "md5"):
        target = io.BytesIO()
        bucket.blob(blob.name).download_to_file(target, checksum=checksum)
        assert target.getvalue() == CONTENT


def test_gzip_is_unpacked_for_those_who_cannot(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Decompressive transcoding: stored bytes to whoever accepts gzip, plain bytes to all others."""
    content = b"many lines\n" * 200_000
    packed = gzip.compress(content)
    blob = bucket.blob("packed")
    blob.content_encoding = "gzip"
    blob.upload_from_string(packed, content_type="text/plain")

    asked = gcs.call("GET", blob.media_link, headers={"Accept-Encoding": "gzip"})
    assert (asked.body, asked.headers["Content-Encoding"]) == (packed, "gzip")
    plain = gcs.call("GET", blob.media_link, headers={"Accept-Encoding": "identity"})
    assert (plain.body == content, plain.headers["Content-Encoding"]) == (True, None)
    assert plain.headers["x-goog-stored-content-length"] == str(len(packed))
    assert bucket.blob("packed").download_as_bytes(raw_download=True) == packed


def test_an_encoded_body_is_stored_as_it_came(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Content-Encoding on a signed PUT describes the object; the server unpacks nothing."""
    packed = gzip.compress(b"hello")
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    answer = gcs.call("PUT", gcs.sign(bucket.blob("put"), "PUT", headers=headers), packed, headers)

    assert answer.status == 200
    assert bucket.get_blob("put").content_encoding == "gzip"
    assert bucket.get_blob("put").size == len(packed)


def test_a_download_outlives_its_object(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Whoever has begun to read can finish, although the object was deleted meanwhile."""
    content = b"z" * 20_000_000
    blob = bucket.blob("doomed")
    blob.upload_from_string(content)
    with requests.get(blob.media_link, stream=True, timeout=20) as response:
        first = response.raw.read(10)
        blob.delete()
        rest = response.raw.read()

    assert first + rest == content
