"""Files of the hub's cache are compared with the hashes that they are named by, wherever their bytes lie."""

import hashlib
from pathlib import Path

import pytest

from worker.model_hub import _whole

CONTENT = b"weights"


def snapshot(cache: Path, *, shared: bool, content: bytes = CONTENT) -> Path:
    """Lay a file out as huggingface_hub does: a link to the blob, which may itself be a link into a shared store."""
    blob = cache / "models--a--b" / "blobs" / hashlib.sha256(CONTENT).hexdigest()
    file = cache / "models--a--b" / "snapshots" / "main" / "model.bin"
    stored = cache / "blobs" / "0a" / ("0a" * 32) if shared else blob
    for path in (blob, file, stored):
        path.parent.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(content)
    if shared:
        blob.symlink_to(Path("../../blobs/0a") / stored.name)
    file.symlink_to(Path("../../blobs") / blob.name)
    return file


@pytest.mark.parametrize("shared", [False, True])
def test_a_whole_file_is_whole(tmp_path: Path, shared: bool) -> None:
    """The name that counts is that of the blob, not that of the store for several repositories."""
    assert _whole(snapshot(tmp_path, shared=shared))


@pytest.mark.parametrize("shared", [False, True])
def test_a_damaged_file_is_told(tmp_path: Path, shared: bool) -> None:
    """A byte less, and the file is fetched again."""
    assert not _whole(snapshot(tmp_path, shared=shared, content=CONTENT[:-1]))
