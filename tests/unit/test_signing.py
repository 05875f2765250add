"""Signed URLs permit one thing for a while, and name files safely."""

import base64
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.oauth2.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from services.web.links import Links, Target
from shared.settings import WebSettings
from shared.signing import IamSigningCredentials, UrlSigner, content_disposition, shown_in_place, signing_credentials


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service-account key file, as the local cloud makes one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    file = tmp_path_factory.mktemp("signer") / "key.json"
    described = {
        "type": "service_account",
        "project_id": "p",
        "client_email": "web@p.iam.gserviceaccount.com",
        "token_uri": "http://127.0.0.1:9/token",
        "private_key_id": "k",
        "private_key": pem,
    }
    file.write_text(json.dumps(described), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def signer(key_file: Path) -> UrlSigner:
    settings = WebSettings.model_validate(
        {
            "project": "p",
            "database_url": "postgresql+pg8000://x",
            "upload_bucket": "up",
            "result_bucket": "down",
            "dev_user": "you@localhost",
            "signer_key": str(key_file),
        }
    )
    return UrlSigner(signing_credentials(settings), public_url="http://127.0.0.1:4443/", life_seconds=900)


def asked(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_an_upload_is_signed_with_every_header(signer: UrlSigner) -> None:
    """Type, length, owner and precondition are part of the signature, so that none can be left out or changed."""
    headers = {"Content-Type": "image/jpeg", "x-goog-if-generation-match": "0", "x-goog-meta-owner": "ada@example.org"}
    before = dict(headers)
    url = signer.upload("up", "20251203T15Z/id/a photo.jpg", method="PUT", headers=headers)
    assert url.startswith("http://127.0.0.1:4443/up/20251203T15Z/id/a%20photo.jpg?")
    query = asked(url)
    assert query["X-Goog-SignedHeaders"] == "content-type;host;x-goog-if-generation-match;x-goog-meta-owner"
    assert query["X-Goog-Expires"] == "900"
    assert query["X-Goog-Credential"].startswith("web@p.iam.gserviceaccount.com/")
    assert headers == before


def test_a_download_names_one_generation_and_how_it_is_received(signer: UrlSigner) -> None:
    """Whatever the object's own metadata say, the browser gets this type and this name."""
    query = asked(signer.download("down", "x/y", 7, content_type="image/webp", filename="été.webp", attachment=False))
    assert query["generation"] == "7"
    assert query["response-content-type"] == "image/webp"
    assert query["response-content-disposition"] == "inline; filename=\"_t_.webp\"; filename*=UTF-8''%C3%A9t%C3%A9.webp"


@pytest.mark.parametrize(
    "content_type", ["text/html", "image/svg+xml", "application/xhtml+xml", "application/x-unknown"]
)
def test_what_could_carry_script_is_saved_not_shown(signer: UrlSigner, content_type: str) -> None:
    """A result that a browser would run as a page is always a download."""
    query = asked(signer.download("down", "x", 1, content_type=content_type, filename="x", attachment=False))
    assert query["response-content-disposition"].startswith("attachment;")
    assert not shown_in_place(content_type)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=100))
def test_no_file_name_breaks_out_of_its_header(filename: str) -> None:
    """Quotes, line ends and other letters in a name cannot add a parameter or a header."""
    header = content_disposition(filename, attachment=True)
    assert header.isascii()
    plain = header.removeprefix('attachment; filename="').partition('"; filename*=UTF-8')[0]
    assert '"' not in plain
    assert not any(letter in header for letter in "\r\n\0")


def test_iam_signs_what_a_key_would() -> None:
    """In the cloud the signature comes from IAM's signBlob; the URL is made in the same way and names its account."""
    asked_to_sign: list[dict[str, Any]] = []

    def answer_as_iam(url: str, method: str, body: bytes, headers: dict[str, str]) -> SimpleNamespace:
        assert method == "POST"
        assert headers["authorization"] == "Bearer token"
        assert url.endswith("/web@p.iam.gserviceaccount.com:signBlob")
        asked_to_sign.append(json.loads(body))
        signed = {"keyId": "k", "signedBlob": base64.b64encode(b"signature").decode()}
        return SimpleNamespace(status=200, data=json.dumps(signed).encode())

    source = Credentials(token="token")  # type: ignore[no-untyped-call]
    credentials = IamSigningCredentials(answer_as_iam, source, "web@p.iam.gserviceaccount.com")
    url = UrlSigner(credentials, public_url=None, life_seconds=60).upload("up", "x", method="PUT", headers={})
    assert url.startswith("https://storage.googleapis.com/up/x?")
    assert asked(url)["X-Goog-Signature"] == b"signature".hex()
    [body] = asked_to_sign
    assert base64.b64decode(body["payload"]).startswith(b"GOOG4-RSA-SHA256\n")


def test_a_url_is_used_again_while_it_has_half_its_life(signer: UrlSigner) -> None:
    """Browsers keep what they fetched as long as its address stays the same, and it never gets old in their hands."""
    now = 1000.0
    links = Links(signer, clock=lambda: now)
    target = Target("down", "x", 1, "image/webp", "x.webp")
    first = links.to(target)
    now += 449
    assert links.to(target) is first
    assert links.to(Target("down", "x", 2, "image/webp", "x.webp")) is not first
    now += 2
    assert links.to(target) is not first
