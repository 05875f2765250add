"""Objects in the JSON API: uploads, metadata, generations and every precondition, through the real client."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from google.api_core import exceptions
from google.cloud import storage

from tests.conformance.gcs_server import QUANTUM, GcsServer, until

pytest_plugins = ["tests.conformance.gcs_fixtures"]


def test_a_multipart_upload_keeps_what_was_set(bucket: storage.Bucket) -> None:
    """Content, type, custom metadata and headers of a small upload come back."""
    blob = bucket.blob("a/näme with spaces+%.txt")
    blob.metadata = {"owner": "ann", "ümlaut": "jä"}
    blob.cache_control = "max-age=60"
    blob.content_disposition = 'attachment; filename="x"'
    blob.content_language = "de"
    blob.upload_from_string("hello", content_type="text/x-special")

    found = bucket.get_blob(blob.name)
    assert found.download_as_bytes() == b"hello"
    assert found.metadata == {"owner": "ann", "ümlaut": "jä"}
    assert (found.content_type, found.cache_control, found.content_language) == ("text/x-special", "max-age=60", "de")
    assert found.content_disposition == 'attachment; filename="x"'
    assert (found.size, found.metageneration, found.storage_class) == (5, 1, "STANDARD")
    assert found.md5_hash == "XUFAKrxLKna5cZ2REBfFkg=="
    assert found.crc32c == "mnG7TA=="
    assert found.etag
    assert found.time_created is not None


def test_a_media_upload_takes_the_type_from_the_header(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """The simplest upload there is: a body, a name in the query."""
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=media&name=plain%2Fone"
    answer = gcs.call("POST", path, b"content", {"Content-Type": "text/css"})

    assert (answer.status, answer.json["name"], answer.json["contentType"]) == (200, "plain/one", "text/css")
    assert bucket.blob("plain/one").download_as_bytes() == b"content"


@pytest.mark.parametrize(
    "content", [b"", b"--", b"\r\n", b"\r\n--", b"\r\n--===", b"x" * 70_000 + b"\r\n--=", b"\r\n\r\n"]
)
def test_multipart_media_is_taken_byte_for_byte(gcs: GcsServer, bucket: storage.Bucket, content: bytes) -> None:
    """Media that looks like the beginning of a boundary, or is empty, is not mistaken for one."""
    body = b'--==b==\r\nContent-Type: application/json\r\n\r\n{"name": "tricky"}\r\n'
    body += b"--==b==\r\nContent-Type: text/plain\r\n\r\n" + content + b"\r\n--==b==--\r\n"
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart"
    answer = gcs.call("POST", path, body, {"Content-Type": 'multipart/related; boundary="==b=="'})

    assert answer.status == 200, answer.body
    assert bucket.blob("tricky").download_as_bytes() == content


def test_a_multipart_body_that_ends_early_makes_no_object(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Without the closing delimiter nobody knows whether all of the media came."""
    body = b'--b\r\nContent-Type: application/json\r\n\r\n{"name": "cut"}\r\n--b\r\n\r\nhalf of the med'
    path = f"/upload/storage/v1/b/{bucket.name}/o?uploadType=multipart"
    answer = gcs.call("POST", path, body, {"Content-Type": "multipart/related; boundary=b"})

    assert answer.status == 400
    assert not bucket.blob("cut").exists()


def test_a_large_upload_goes_in_chunks(bucket: storage.Bucket) -> None:
    """The client's own resumable upload, in many small chunks."""
    content = bytes(range(256)) * 5000
    blob = bucket.blob("chunked", chunk_size=QUANTUM)
    blob.upload_from_file(io.BytesIO(content), size=len(content), content_type="image/png")

    assert bucket.get_blob("chunked").content_type == "image/png"
    assert bucket.blob("chunked").download_as_bytes() == content


@pytest.mark.parametrize("length", [0, 1, QUANTUM - 1, QUANTUM, 2 * QUANTUM, 2 * QUANTUM + 1])
def test_a_stream_of_unknown_length_ends_where_it_ends(bucket: storage.Bucket, length: int) -> None:
    """The client tells the total only with the last chunk, which may be empty."""
    blob = bucket.blob("stream", chunk_size=QUANTUM)
    with blob.open("wb", ignore_flush=True) as stream:
        stream.write(b"s" * length)

    assert bucket.get_blob("stream").size == length


def test_generations_rise_with_every_write(bucket: storage.Bucket) -> None:
    """Each overwrite is a new generation that begins with metageneration 1."""
    seen = []
    for _ in range(5):
        blob = bucket.blob("same")
        blob.upload_from_string(b"x")
        seen.append(blob.generation)

    assert seen == sorted(set(seen))
    assert bucket.get_blob("same").metageneration == 1


def test_patch_merges_and_update_replaces_metadata(bucket: storage.Bucket) -> None:
    """Metadata changes leave content and generation alone and raise the metageneration."""
    blob = bucket.blob("meta")
    blob.metadata = {"a": "1", "b": "2"}
    blob.upload_from_string(b"x")
    generation = blob.generation

    blob.metadata = {"b": None, "c": "3"}
    blob.cache_control = "no-store"
    blob.patch()
    found = bucket.get_blob("meta")
    assert (found.metadata, found.cache_control) == ({"a": "1", "c": "3"}, "no-store")
    assert (found.generation, found.metageneration) == (generation, 2)

    fresh = bucket.blob("meta")
    fresh.content_type = "a/b"
    fresh.update()
    found = bucket.get_blob("meta")
    assert (found.metadata, found.cache_control, found.content_type) == (None, None, "a/b")
    assert found.metageneration == 3


def test_metadata_must_be_text(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Custom metadata maps strings to strings; anything else is refused."""
    bucket.blob("x").upload_from_string(b"x")
    path = f"/storage/v1/b/{bucket.name}/o/x"

    assert gcs.call("PATCH", path, b'{"metadata": {"n": 5}}').status == 400
    assert gcs.call("PATCH", path, b'{"metadata": "text"}').status == 400


def test_deleting_what_is_not_there_is_not_found(bucket: storage.Bucket) -> None:
    """Reads and deletes of a missing object or generation answer 404."""
    with pytest.raises(exceptions.NotFound):
        bucket.blob("nothing").delete()
    with pytest.raises(exceptions.NotFound):
        bucket.blob("nothing").download_as_bytes()
    bucket.blob("there").upload_from_string(b"x")
    with pytest.raises(exceptions.NotFound):
        bucket.blob("there", generation=1).reload()
    assert bucket.get_blob("nothing") is None


@pytest.mark.parametrize("name", ["", "x" * 1025, ".", "..", "a\nb", "a\rb"])
def test_bad_object_names_are_refused(gcs: GcsServer, bucket: storage.Bucket, name: str) -> None:
    """Names that the real service does not allow."""
    credentials = gcs.client()
    with pytest.raises((exceptions.BadRequest, ValueError)):
        credentials.bucket(bucket.name).blob(name).upload_from_string(b"x")


Change = Callable[[storage.Blob, dict[str, Any]], object]

CHANGES: dict[str, Change] = {
    "upload": lambda blob, conditions: blob.bucket.blob("x").upload_from_string(b"new", **conditions),
    "resumable": lambda blob, conditions: blob.bucket.blob("x", chunk_size=QUANTUM).upload_from_file(
        io.BytesIO(b"new"), **conditions
    ),
    "download": lambda blob, conditions: blob.download_as_bytes(**conditions),
    "reload": lambda blob, conditions: blob.reload(**conditions),
    "patch": lambda blob, conditions: blob.patch(**conditions),
    "update": lambda blob, conditions: blob.update(**conditions),
    "delete": lambda blob, conditions: blob.delete(**conditions),
    "compose": lambda blob, conditions: blob.compose([blob], **conditions),
    "copy": lambda blob, conditions: blob.bucket.copy_blob(blob, blob.bucket, "x", **conditions),
    "rewrite": lambda blob, conditions: blob.rewrite(blob, **conditions),
}
#: Compositions take no not-match conditions; uploads and the rest take all four.
CASES = [
    (name, condition)
    for name in CHANGES
    for condition in ("generation_match", "generation_not_match", "metageneration_match", "metageneration_not_match")
    if not (name == "compose" and "not" in condition)
]


@pytest.mark.parametrize(("change", "condition"), CASES)
def test_every_precondition_holds_on_every_call(bucket: storage.Bucket, change: str, condition: str) -> None:
    """A condition that does not hold stops the call, 304 for not-match on reads; one that holds lets it through."""
    bucket.blob("x").upload_from_string(b"old")
    current = bucket.get_blob("x")
    number = current.metageneration if "meta" in condition else current.generation
    unmet, met = (number, number + 1) if "not" in condition else (number + 1, number)
    expected = 304 if "not" in condition and change in {"download", "reload"} else 412

    with pytest.raises(exceptions.GoogleAPICallError) as refused:
        CHANGES[change](bucket.blob("x"), {f"if_{condition}": unmet})
    assert refused.value.code == expected
    assert bucket.blob("x").download_as_bytes() == b"old"
    assert bucket.get_blob("x").metageneration == 1

    CHANGES[change](bucket.blob("x"), {f"if_{condition}": met})


def test_generation_zero_means_not_there(bucket: storage.Bucket) -> None:
    """The first writer of a name wins, also when the upload is resumable."""
    bucket.blob("once").upload_from_string(b"first", if_generation_match=0)

    for chunk_size in (None, QUANTUM):
        with pytest.raises(exceptions.PreconditionFailed):
            bucket.blob("once", chunk_size=chunk_size).upload_from_file(io.BytesIO(b"second"), if_generation_match=0)
    assert bucket.blob("once").download_as_bytes() == b"first"


def test_versions_are_kept_where_the_bucket_says_so(gcs: GcsServer) -> None:
    """Overwritten and deleted generations stay readable until they are deleted by number."""
    bucket = gcs.bucket(versioning_enabled=True)
    generations = []
    for content in (b"one", b"two"):
        blob = bucket.blob("doc")
        blob.upload_from_string(content)
        generations.append(blob.generation)
    bucket.blob("doc").delete()

    assert bucket.get_blob("doc") is None
    versions = list(bucket.list_blobs(versions=True))
    assert [(each.generation, each.time_deleted is not None) for each in versions] == [(n, True) for n in generations]
    assert bucket.blob("doc", generation=generations[0]).download_as_bytes() == b"one"

    bucket.copy_blob(bucket.blob("doc"), bucket, "doc", source_generation=generations[0])
    assert bucket.blob("doc").download_as_bytes() == b"one"
    bucket.blob("doc", generation=generations[1]).delete()
    assert generations[1] not in [each.generation for each in bucket.list_blobs(versions=True)]


def test_without_versions_overwritten_bytes_are_gone(own_gcs: GcsServer) -> None:
    """Nothing on disk outlives the object that pointed to it."""
    bucket = own_gcs.bucket()
    for _ in range(3):
        bucket.blob("doc").upload_from_string(b"content")
    until(lambda: len(own_gcs.bodies) == 1, "only the last body is left")
    bucket.blob("doc").delete()
    until(lambda: own_gcs.bodies == [], "no body is left")


def test_a_held_object_is_neither_overwritten_nor_deleted(bucket: storage.Bucket) -> None:
    """A temporary hold keeps an object until it is released."""
    blob = bucket.blob("held")
    blob.upload_from_string(b"kept")
    blob.temporary_hold = True
    blob.patch()

    with pytest.raises(exceptions.Forbidden):
        bucket.blob("held").delete()
    with pytest.raises(exceptions.Forbidden):
        bucket.blob("held").upload_from_string(b"other")
    blob.temporary_hold = False
    blob.patch()
    blob.delete()
