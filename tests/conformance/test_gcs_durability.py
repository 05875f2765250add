"""What survives kill -9, cut connections and size: an object is there as a whole, or not at all."""

import base64
import http.client
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import google_crc32c
import pytest
import requests
from google.cloud import storage

from tests.conformance.gcs_server import QUANTUM, GcsServer, until

pytest_plugins = ["tests.conformance.gcs_fixtures"]

MEGABYTE = 1024 * 1024
LIMIT_BYTES = 100 * 1000 * 1000


def crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


def test_everything_is_there_after_a_kill(own_gcs: GcsServer) -> None:
    """Buckets with their configuration, objects with metadata, generations that go on rising."""
    bucket = own_gcs.bucket(versioning_enabled=True, labels={"a": "b"})
    blob = bucket.blob("x")
    blob.metadata = {"owner": "ann"}
    blob.upload_from_string(b"content")
    own_gcs.kill()
    own_gcs.start()

    found = own_gcs.client().get_bucket(bucket.name)
    assert (found.versioning_enabled, found.labels) == (True, {"a": "b"})
    again = bucket.get_blob("x")
    assert (again.generation, again.metadata, again.etag) == (blob.generation, {"owner": "ann"}, blob.etag)
    assert again.download_as_bytes() == b"content"
    newer = bucket.blob("x")
    newer.upload_from_string(b"more")
    assert newer.generation > blob.generation


@pytest.mark.parametrize("api", ["xml", "json"])
def test_a_resumable_upload_goes_on_after_a_kill(own_gcs: GcsServer, api: str) -> None:
    """In the middle of a request; what was acknowledged is still there, and the object comes out whole."""
    bucket = own_gcs.bucket()
    content = bytes(range(256)) * (48 * MEGABYTE // 256) + b"end"
    blob = bucket.blob("film")
    session = own_gcs.session(blob) if api == "xml" else own_gcs.json_session(bucket, "name=film")
    half = 8 * MEGABYTE
    assert own_gcs.chunk(session, content[:half], 0, len(content)).status == 308
    killed = threading.Event()

    def rest() -> Iterator[bytes]:
        yield content[half : half + 20 * MEGABYTE]
        own_gcs.kill()
        killed.set()
        yield content[half + 20 * MEGABYTE :]

    span = f"bytes {half}-{len(content) - 1}/{len(content)}"
    with pytest.raises(requests.ConnectionError):
        requests.put(session, data=rest(), headers={"Content-Range": span}, timeout=20)
    assert killed.is_set()
    own_gcs.start()

    assert not blob.exists()
    answer = own_gcs.status(session, len(content))
    kept = int(str(answer.headers["Range"]).split("-")[1]) + 1
    assert (answer.status, kept % QUANTUM) == (308, 0)
    assert kept >= half
    assert own_gcs.chunk(session, content[kept:], kept, len(content)).status == 200
    blob.reload()
    assert (blob.size, blob.crc32c) == (len(content), crc32c(content))
    assert blob.download_as_bytes(checksum="md5") == content


def test_a_client_upload_survives_a_kill_by_itself(own_gcs: GcsServer) -> None:
    """The real client retries its chunk, and the session is still there."""
    bucket = own_gcs.bucket()
    content = bytes(range(256)) * (12 * MEGABYTE // 256)  # the client sends less than 8 MiB in one piece
    stream = KillingStream(content, own_gcs)
    blob = bucket.blob("film", chunk_size=2 * MEGABYTE)
    blob.upload_from_file(stream, size=len(content), checksum="crc32c")

    assert stream.killed
    assert bucket.blob("film").download_as_bytes() == content


class KillingStream:
    """A file in whose middle the server dies and comes back."""

    def __init__(self, content: bytes, server: GcsServer) -> None:
        self.content = content
        self.server = server
        self.position = 0
        self.killed = False

    def read(self, size: int = -1) -> bytes:
        if self.position >= len(self.content) // 2 and not self.killed:
            self.killed = True
            self.server.kill()
            threading.Thread(target=self.server.start).start()
        piece = self.content[self.position : self.position + size if size >= 0 else None]
        self.position += len(piece)
        return piece

    def tell(self) -> int:
        return self.position

    def seek(self, position: int, _whence: int = 0) -> int:
        self.position = position
        return position


def test_a_kill_leaves_no_strays(own_gcs: GcsServer) -> None:
    """Bodies of uploads that never became objects are swept at the start; those of open sessions are kept."""
    bucket = own_gcs.bucket()
    bucket.blob("whole").upload_from_string(b"x")
    session = own_gcs.session(bucket.blob("open"))
    own_gcs.chunk(session, bytes(QUANTUM), 0, "*")
    before = len(own_gcs.bodies)
    parts = urlsplit(own_gcs.sign(bucket.blob("cut"), "PUT"))
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}")
    connection.putheader("Content-Length", str(10 * MEGABYTE))
    connection.endheaders(bytes(MEGABYTE))
    until(lambda: len(own_gcs.bodies) == before + 1, "the upload has begun")
    own_gcs.kill()
    connection.close()
    own_gcs.start()

    assert len(own_gcs.bodies) == before
    assert [blob.name for blob in bucket.list_blobs()] == ["whole"]
    assert own_gcs.status(session).headers["Range"] == f"bytes=0-{QUANTUM - 1}"


def test_a_truncated_upload_never_becomes_an_object(own_gcs: GcsServer) -> None:
    """A cut signed PUT, multipart or media upload leaves nothing, neither object nor file."""
    bucket = own_gcs.bucket()
    upload = f"{own_gcs.url}/upload/storage/v1/b/{bucket.name}/o"
    head = b'--b\r\n\r\n{"name": "multipart"}\r\n--b\r\n\r\n' + bytes(600_000)
    for url, content, headers in (
        (own_gcs.sign(bucket.blob("put"), "PUT"), bytes(600_000), {"Content-Length": "700000"}),
        (own_gcs.sign(bucket.blob("chunked"), "PUT"), b"5\r\nhello\r\n", {"Transfer-Encoding": "chunked"}),
    ):
        own_gcs.cut_short(url, content, headers)
    for kind, content in (("multipart", head), ("media&name=media", bytes(600_000))):
        headers = {"Content-Length": "700000", "Content-Type": "multipart/related; boundary=b"}
        own_gcs.cut_short(f"{upload}?uploadType={kind}", content, headers, method="POST")

    until(lambda: own_gcs.bodies == [], "all that had arrived is thrown away")
    assert list(bucket.list_blobs()) == []


def test_concurrent_writers_of_one_name_have_one_winner(own_gcs: GcsServer) -> None:
    """With if-generation-match 0, however many try at once."""
    bucket = own_gcs.bucket()
    headers = {"x-goog-if-generation-match": "0"}
    url = own_gcs.sign(bucket.blob("x"), "PUT", headers=headers)
    statuses: list[int] = []
    writers = [
        threading.Thread(target=lambda: statuses.append(own_gcs.call("PUT", url, b"x" * 100_000, headers).status))
        for _ in range(16)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(statuses) == [200] + [412] * 15
    until(lambda: len(own_gcs.bodies) == 1, "the losers' bytes are gone")


def test_acknowledged_objects_survive_a_kill_under_load(own_gcs: GcsServer) -> None:
    """Whatever got its 200 before the process died can be read after it, byte for byte."""
    bucket = own_gcs.bucket()
    acknowledged: list[str] = []

    def write(writer: int) -> None:
        client = own_gcs.client().bucket(bucket.name)
        with suppress(requests.ConnectionError):
            for number in range(1000):
                name = f"{writer}-{number}"
                client.blob(name).upload_from_string(name.encode() * 1000, retry=None)
                acknowledged.append(name)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    until(lambda: len(acknowledged) > 50, "writers are at work")
    own_gcs.kill()
    for writer in writers:
        writer.join()
    own_gcs.start()

    for name in acknowledged:
        assert bucket.blob(name).download_as_bytes() == name.encode() * 1000
    found = [blob.name for blob in bucket.list_blobs()]
    assert set(acknowledged) <= set(found)
    assert len(own_gcs.bodies) == len(found)


def test_only_one_server_serves_a_directory(own_gcs: GcsServer) -> None:
    """A second one would sweep away what the first is writing."""
    second = GcsServer(own_gcs.directory)
    with pytest.raises(AssertionError):
        second.start()
    assert second.process.wait(20) != 0


def test_the_metadata_is_committed_in_full(own_gcs: GcsServer) -> None:
    """The database is a WAL that a stopped server has checkpointed: copying the directory is a backup."""
    bucket = own_gcs.bucket()
    bucket.blob("x").upload_from_string(b"x")
    own_gcs.stop()

    with sqlite3.connect(own_gcs.directory / "data" / "metadata.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM objects").fetchone() == (1,)
    own_gcs.start()


@pytest.mark.parametrize(("api", "count"), [("resumable", 1024), ("put", 200), ("client", 200)])
def test_memory_stays_flat_whatever_the_size(own_gcs: GcsServer, api: str, count: int) -> None:
    """So many megabytes up and down again, with the server below 100 MB all the time."""
    bucket: storage.Bucket = own_gcs.bucket()
    blob = bucket.blob("large")
    block = bytes(range(256)) * (MEGABYTE // 256)
    peak = own_gcs.rss_bytes

    def blocks() -> Iterator[bytes]:
        nonlocal peak
        for _ in range(count):
            yield block
            peak = max(peak, own_gcs.rss_bytes)

    if api == "client":
        with blob.open("wb", chunk_size=32 * MEGABYTE, ignore_flush=True) as stream:
            for piece in blocks():
                stream.write(piece)
    else:
        url = own_gcs.sign(blob, "PUT") if api == "put" else own_gcs.session(blob)
        assert requests.put(url, data=blocks(), timeout=120).status_code == 200
    assert bucket.get_blob("large").size == count * MEGABYTE

    received = 0
    with requests.get(own_gcs.sign(blob, "GET"), stream=True, timeout=120) as response:
        for piece in response.iter_content(4 * MEGABYTE):
            received += len(piece)
            peak = max(peak, own_gcs.rss_bytes)
    assert received == count * MEGABYTE
    assert peak < LIMIT_BYTES
    blob.delete()  # pytest keeps the directories of its last runs
