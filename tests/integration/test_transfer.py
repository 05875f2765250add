"""What a worker makes of Cloud Storage's answers, told by the local one."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.api_core.exceptions import Forbidden
from google.cloud.storage import Bucket

from local.faults.control import FaultControl
from tests.conformance.gcs_server import GcsServer
from worker.transfer import AlreadyThereError, Storage, Uploaded

NAME = "job/1/thumbnail.webp"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    with GcsServer(tmp_path_factory.mktemp("gcs")) as gcs:
        yield gcs


@pytest.fixture
def bucket(server: GcsServer) -> Bucket:
    return server.bucket()


@pytest.fixture
def storage(server: GcsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    yield Storage("example-project", 2)
    FaultControl(server.url).clear()


def put(storage: Storage, bucket: Bucket, content: bytes) -> Uploaded:
    return storage.put(
        bucket.name, NAME, io.BytesIO(content), content_type="image/webp", metadata={}, check=lambda: None
    )


@pytest.fixture(params=["precondition", "permission"])
def refused(request: pytest.FixtureRequest, server: GcsServer) -> str:
    """How a name that is taken is refused: by the precondition, or as a deletion that a worker may not do."""
    if request.param == "permission":
        FaultControl(server.url).put([{"fault": "error", "status": 403, "match": "^POST /upload", "skip": 1}])
    return str(request.param)


@pytest.mark.usefixtures("refused")
def test_own_bytes(storage: Storage, bucket: Bucket) -> None:
    """A file that is there already, sent by a try whose answer was lost, counts as sent."""
    first = put(storage, bucket, b"picture")
    assert put(storage, bucket, b"picture") == first


@pytest.mark.usefixtures("refused")
def test_other_bytes(storage: Storage, bucket: Bucket) -> None:
    """Another's file of the same name stays as it is, and the worker is told that it came second."""
    first = put(storage, bucket, b"picture")
    with pytest.raises(AlreadyThereError):
        put(storage, bucket, b"another picture")
    blob = bucket.get_blob(NAME)
    assert blob is not None
    assert blob.generation == first.generation


def test_forbidden(storage: Storage, bucket: Bucket, server: GcsServer) -> None:
    """A worker that may not write at all is told so, and not that somebody was faster."""
    FaultControl(server.url).put([{"fault": "error", "status": 403, "match": "^POST /upload"}])
    with pytest.raises(Forbidden):
        put(storage, bucket, b"picture")


def test_names(storage: Storage, bucket: Bucket, tmp_path: Path) -> None:
    """What was written is found by its prefix, and comes back as it was."""
    sent = put(storage, bucket, b"picture")
    assert storage.names(bucket.name, "job/1/") == {NAME}
    storage.fetch(bucket.name, NAME, sent.generation, tmp_path / "copy", check=lambda: None, crc32c=sent.crc32c)
    assert (tmp_path / "copy").read_bytes() == b"picture"
