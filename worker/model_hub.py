"""Models of the Hugging Face hub, by name; each file is compared with the hash that the hub names it by."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

#: Where Whisper's sizes are, converted for CTranslate2 (faster-whisper's own list, ``faster_whisper/utils.py``).
_SIZES = ("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en", "large-v2", "large-v3")
REPOSITORIES = {size: f"Systran/faster-whisper-{size}" for size in _SIZES} | {
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
}
#: What belongs to a model; repositories hold pictures and other forms of the same weights besides.
_FILES = ("*.bin", "*.json", "*.txt", "*.model", "*.onnx", "*.yaml")

HUB_AWAY = (requests.RequestException, ConnectionError, TimeoutError)


class HubError(Exception):
    """The hub has no such model, or sends something else than it promises."""


def fetch_from_hub(place: str, directory: Path, check: Callable[[], None]) -> Path:
    """Return the folder of ``NAME[@REVISION]`` below ``directory``, fetched unless it is there.

    Proxy, endpoint and token are huggingface_hub's own settings: ``HTTPS_PROXY``, ``HF_ENDPOINT``, ``HF_TOKEN``.

    Raises:
        HubError: there is no such model, it may not be read, or its files are damaged twice.
        HUB_AWAY: the hub does not answer, and the model was never fetched.
    """
    name, _, revision = place.partition("@")
    repository = REPOSITORIES.get(name, name)
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise HubError(f"{name!r} is none of {', '.join(REPOSITORIES)} and no ORGANISATION/REPOSITORY")
    for damaged_before in (False, True):
        folder = _snapshot(repository, revision or None, directory)
        check()
        damaged = [file for file in sorted(folder.rglob("*")) if file.is_file() and not _whole(file)]
        if not damaged:
            return folder
        if damaged_before:
            raise HubError(f"{damaged[0].name} is not what {repository} says it is")
        for file in damaged:
            file.resolve().unlink()
            file.unlink(missing_ok=True)
    raise AssertionError("two trials were made")


def _snapshot(repository: str, revision: str | None, directory: Path) -> Path:
    import huggingface_hub  # noqa: PLC0415 - 200 ms that a worker without such a model does not pay
    from huggingface_hub.errors import (  # noqa: PLC0415
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    asked: dict[str, Any] = {"revision": revision, "cache_dir": directory / "hub", "allow_patterns": list(_FILES)}
    try:
        return Path(huggingface_hub.snapshot_download(repository, endpoint=os.environ.get("HF_ENDPOINT"), **asked))
    except (GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        raise HubError(f"the hub has no {repository}{f' at {revision}' if revision else ''} for us") from error
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise ConnectionError(str(error).strip().splitlines()[0]) from error


def _whole(file: Path) -> bool:
    """Compare a file of the hub's cache with its name: SHA-256 of large files, Git's blob hash (SHA-1) of others."""
    # One link away; further on is the store that repositories share, whose names are other hashes.
    blob = file.parent / file.readlink() if file.is_symlink() else file
    if re.fullmatch(r"[0-9a-f]{64}", blob.name):
        with blob.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == blob.name
    if re.fullmatch(r"[0-9a-f]{40}", blob.name):
        content_bytes = blob.read_bytes()
        head = f"blob {len(content_bytes)}\0".encode()
        return hashlib.sha1(head + content_bytes, usedforsecurity=False).hexdigest() == blob.name
    return True
