"""Models by name: fetched from the hub once, compared with its hashes, and used without it afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model_hub import Hub, hub
from worker.model_hub import HubError, fetch_from_hub

TINY = "Systran/faster-whisper-tiny"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one model."""
    with hub() as found:
        found.repositories[TINY] = {
            "model.bin": b"weights " * 1000,
            "config.json": b"{}",
            "README.md": b"# Not a part of the model",
        }
        monkeypatch.setenv("HF_ENDPOINT", found.url)
        yield found


def nothing() -> None:
    """Let the wait go on."""


def test_fetches_by_size(server: Hub, tmp_path: Path) -> None:
    """A size of Whisper is the repository that faster-whisper takes it from, and only its weights come."""
    folder = fetch_from_hub("tiny", tmp_path, nothing)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
        "model.bin": b"weights " * 1000,
        "config.json": b"{}",
    }


def test_repository_and_revision(server: Hub, tmp_path: Path) -> None:
    """Any repository of the hub does, at any revision."""
    assert (fetch_from_hub(f"{TINY}@v1", tmp_path, nothing) / "config.json").read_bytes() == b"{}"


def test_fetched_once(server: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is on the disk is used, even when the hub is away."""
    fetch_from_hub("tiny", tmp_path, nothing)
    server.asked.clear()
    folder = fetch_from_hub("tiny", tmp_path, nothing)
    assert not [line for line in server.asked if line.endswith("model.bin") and line.startswith("GET")]
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert fetch_from_hub("tiny", tmp_path, nothing) == folder


def test_damaged_on_the_way(server: Hub, tmp_path: Path) -> None:
    """Weights that are not what the hub promised are fetched again, and refused if they still are not."""
    server.damage["model.bin"] = 1
    assert (fetch_from_hub("tiny", tmp_path / "a", nothing) / "model.bin").read_bytes() == b"weights " * 1000
    server.damage["model.bin"] = 2
    with pytest.raises(HubError, match="is not what"):
        fetch_from_hub("tiny", tmp_path / "b", nothing)


def test_damaged_on_the_disk(server: Hub, tmp_path: Path) -> None:
    """A file that has changed since is fetched again."""
    folder = fetch_from_hub("tiny", tmp_path, nothing)
    (folder / "model.bin").resolve().write_bytes(b"something else")
    assert (fetch_from_hub("tiny", tmp_path, nothing) / "model.bin").read_bytes() == b"weights " * 1000


@pytest.mark.parametrize("place", ["nobody/nothing", "tiny@v9", "enormous", "../../etc"])
def test_no_such_model(server: Hub, tmp_path: Path, place: str) -> None:
    """What the hub does not have is said."""
    with pytest.raises(HubError):
        fetch_from_hub(place, tmp_path, nothing)


def test_hub_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the hub and without the files there is no model, for now."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ConnectionError):
        fetch_from_hub("base", tmp_path, nothing)
