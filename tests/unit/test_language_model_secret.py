"""The key of a hosted model, out of a loopback Secret Manager."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spotmill.language_model import LanguageModelError
from tests.language_model_server import SECRET, LanguageModelServer, serving
from tests.language_model_wire import KEY, PROJECT
from worker.language_models.secret import key_from_secret


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LanguageModelServer]:
    """A Secret Manager that the machine's own service account may read."""
    with serving(tmp_path) as started:
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(started.key_file))
        yield started


def test_a_key_comes_from_secret_manager(server: LanguageModelServer) -> None:
    """The newest version, without the line break that editors leave, also after the service was away once."""
    server.secret = f"{KEY}\n".encode()
    server.secret_statuses.append(503)

    assert key_from_secret(SECRET.removesuffix("/versions/latest"), server.url) == KEY


def test_a_secret_that_cannot_be_read_is_named(server: LanguageModelServer) -> None:
    """Missing, forbidden, damaged, no key: each says what to look at, and none shows the secret."""
    with pytest.raises(ValueError, match="names no secret"):
        key_from_secret("../tokens", server.url)
    with pytest.raises(LanguageModelError, match=r"another/versions/3 \(404\): there is no such version"):
        key_from_secret(f"projects/{PROJECT}/secrets/another/versions/3", server.url)
    server.secret_statuses.append(403)
    with pytest.raises(LanguageModelError, match="this service account may not read it"):
        key_from_secret(SECRET, server.url)
    server.secret_crc32c = 7
    with pytest.raises(LanguageModelError, match="checksum"):
        key_from_secret(SECRET, server.url)
    server.secret, server.secret_crc32c = b"a key\nand another", None
    with pytest.raises(LanguageModelError, match="holds no key") as caught:
        key_from_secret(SECRET, server.url)
    assert "another" not in str(caught.value)
