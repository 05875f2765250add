"""Copy, rewrite, move and compose through the real client."""

import pytest
from google.api_core import exceptions
from google.cloud import storage

from tests.conformance.gcs_server import GcsServer, until

pytest_plugins = ["tests.conformance.gcs_fixtures"]


@pytest.fixture
def source(bucket: storage.Bucket) -> storage.Blob:
    blob = bucket.blob("src/ü%2F.txt")
    blob.metadata = {"a": "1"}
    blob.upload_from_string(b"content", content_type="text/x-src")
    return blob


def test_a_copy_has_content_and_metadata_and_a_generation_of_its_own(
    gcs: GcsServer, bucket: storage.Bucket, source: storage.Blob
) -> None:
    """Into another bucket, where the source may be deleted afterwards."""
    other = gcs.bucket()
    copy = bucket.copy_blob(source, other, "copy")

    assert (copy.metadata, copy.content_type, copy.crc32c) == ({"a": "1"}, "text/x-src", source.crc32c)
    assert copy.generation > source.generation
    source.delete()
    assert other.blob("copy").download_as_bytes() == b"content"


def test_copies_share_their_bytes_until_the_last_is_gone(own_gcs: GcsServer) -> None:
    """Copying is cheap, and deleting one copy leaves the others whole."""
    bucket = own_gcs.bucket()
    first = bucket.blob("first")
    first.upload_from_string(b"content")
    bucket.copy_blob(first, bucket, "second")
    assert len(own_gcs.bodies) == 1

    bucket.blob("first").delete()
    assert bucket.blob("second").download_as_bytes() == b"content"
    bucket.blob("second").delete()
    until(lambda: own_gcs.bodies == [], "no body is left")


def test_a_rewrite_is_done_at_once_and_may_change_metadata(bucket: storage.Bucket, source: storage.Blob) -> None:
    """No token; metadata given with the rewrite replaces that of the source."""
    target = bucket.blob("rewritten")
    target.metadata = {"b": "2"}
    target.storage_class = "NEARLINE"

    assert target.rewrite(source) == (None, 7, 7)
    found = bucket.get_blob("rewritten")
    assert (found.metadata, found.storage_class) == ({"b": "2"}, "NEARLINE")


def test_source_preconditions_hold(bucket: storage.Bucket, source: storage.Blob) -> None:
    """Copies and rewrites of a source that has changed are refused."""
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.copy_blob(source, bucket, "x", if_source_generation_match=1)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").rewrite(source, if_source_metageneration_match=9)
    with pytest.raises(exceptions.NotFound):
        bucket.copy_blob(source, bucket, "x", source_generation=1)
    assert not bucket.blob("x").exists()


def test_a_rename_is_one_step(bucket: storage.Bucket, source: storage.Blob) -> None:
    """Moving keeps content and metadata and leaves nothing behind."""
    moved = bucket.move_blob(source, "moved", if_generation_match=0)

    assert moved.metadata == {"a": "1"}
    assert [blob.name for blob in bucket.list_blobs()] == ["moved"]


def test_a_composition_joins_its_sources(bucket: storage.Bucket) -> None:
    """In the order given, counted in components, with crc32c and without md5 as in the real service."""
    parts = []
    for number in range(3):
        parts.append(bucket.blob(f"part-{number}"))
        parts[-1].upload_from_string(str(number) * 300_000)
    whole = bucket.blob("whole")
    whole.content_type = "video/mp4"
    whole.compose(parts)
    twice = bucket.blob("twice")
    twice.compose([whole, whole])

    assert bucket.blob("whole").download_as_bytes(checksum="crc32c") == b"0" * 300_000 + b"1" * 300_000 + b"2" * 300_000
    found = bucket.get_blob("whole")
    assert (found.component_count, found.md5_hash, found.content_type) == (3, None, "video/mp4")
    assert bucket.get_blob("twice").component_count == 6


def test_a_composition_checks_its_sources(bucket: storage.Bucket, source: storage.Blob) -> None:
    """A missing source, one that has changed, or none at all."""
    with pytest.raises(exceptions.NotFound):
        bucket.blob("x").compose([source, bucket.blob("missing")])
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("x").compose([source], if_source_generation_match=[5])
    with pytest.raises(exceptions.BadRequest):
        bucket.blob("x").compose([])
    assert not bucket.blob("x").exists()


def test_an_object_can_be_appended_to_by_composition(bucket: storage.Bucket, source: storage.Blob) -> None:
    """The target may be one of the sources."""
    more = bucket.blob("more")
    more.upload_from_string(b" and more")
    source.compose([source, more], if_generation_match=source.generation)

    assert bucket.blob(source.name).download_as_bytes() == b"content and more"


def test_many_calls_go_in_one_batch(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Metadata calls in a batch are answered one by one, also where some fail."""
    client = gcs.client()
    blobs = [client.bucket(bucket.name).blob(f"b/{number} ü") for number in range(5)]
    for blob in blobs:
        blob.upload_from_string(b"x")
    with client.batch():
        for blob in blobs:
            blob.metadata = {"seen": "yes"}
            blob.patch()
    assert all(bucket.get_blob(blob.name).metadata == {"seen": "yes"} for blob in blobs)

    with pytest.raises(exceptions.NotFound), client.batch():
        client.bucket(bucket.name).delete_blobs([*(blob.name for blob in blobs), "missing"])
    assert list(bucket.list_blobs()) == []


def test_a_batch_carries_no_media_and_not_too_many_calls(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """The limits of the real service."""
    bucket.blob("x").upload_from_string(b"x")
    call = f"--b\r\nContent-Type: application/http\r\n\r\nGET /storage/v1/b/{bucket.name}/o/x%s HTTP/1.1\r\n\r\n\r\n"
    headers = {"Content-Type": "multipart/mixed; boundary=b"}

    media = gcs.call("POST", "/batch/storage/v1", (call % "?alt=media" + "--b--").encode(), headers)
    assert (media.status, b"HTTP/1.1 400" in media.body) == (200, True)
    assert gcs.call("POST", "/batch/storage/v1", (call % "" * 101 + "--b--").encode(), headers).status == 400
    assert gcs.call("POST", "/batch/storage/v1", b"nothing", {"Content-Type": "text/plain"}).status == 400
