"""Nobody gets in but with an assertion that IAP made for this service, or from this very machine in development."""

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from services.web.identity import DevelopmentGate, IapGate, IapKeys, open_gate
from services.web.problems import Problem
from services.web.views import Person
from shared.settings import SettingsError, WebSettings
from tests.iap import AUDIENCE, Iap

ADMIN = "grace@example.org"


@pytest.fixture
def iap(tmp_path: Path) -> Iap:
    return Iap(tmp_path)


@pytest.fixture
def gate(iap: Iap) -> IapGate:
    return IapGate(AUDIENCE, IapKeys(iap.keys_url), frozenset({ADMIN}))


def admit(gate: IapGate, assertion: str | None) -> Person:
    return gate.admit({} if assertion is None else {"HTTP_X_GOOG_IAP_JWT_ASSERTION": assertion})


def part(values: dict[str, str]) -> str:
    """Write one part of a token."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def refused(gate: IapGate, assertion: str | None) -> bool:
    with pytest.raises(Problem) as raised:
        admit(gate, assertion)
    return raised.value.status == 401


def test_an_assertion_of_iap_names_the_person(gate: IapGate, iap: Iap) -> None:
    """The e-mail comes from the assertion, in lower case, and only named people are admins."""
    assert admit(gate, iap.assertion("Ada@Example.org")) == Person("ada@example.org", admin=False)
    assert admit(gate, iap.assertion("Grace@example.org")) == Person(ADMIN, admin=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "/projects/1/global/backendServices/3"},
        {"aud": None},
        {"iss": "https://accounts.google.com"},
        {"iss": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"sub": None},
        {"email": None},
        {"email": "nobody"},
        {"email": ["ada@example.org"]},
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused(gate: IapGate, iap: Iap, changes: dict[str, Any]) -> None:
    """Another audience or issuer, a time that is over or not yet come, or a missing claim lets nobody in."""
    assert refused(gate, iap.assertion(**changes))


def test_a_few_seconds_between_two_clocks_do_not_matter(gate: IapGate, iap: Iap) -> None:
    """Google's clock may be some seconds ahead of ours, or ours of Google's."""
    now = int(time.time())
    assert admit(gate, iap.assertion(iat=now + 10))
    assert admit(gate, iap.assertion(exp=now - 10))


def test_no_assertion_and_no_token_at_all_are_refused(gate: IapGate) -> None:
    """A request past IAP, or with something that is no token, gets in as nobody."""
    assert refused(gate, None)
    assert refused(gate, "")
    assert refused(gate, "rubbish")
    assert refused(gate, "a.b.c")


def test_a_forged_signature_is_refused(gate: IapGate, iap: Iap, tmp_path: Path) -> None:
    """Somebody else's key under the id of Google's, or a claim changed afterwards, lets nobody in."""
    (tmp_path / "forger").mkdir()
    forger = Iap(tmp_path / "forger")
    assert refused(gate, forger.assertion())
    head, _, signature = iap.assertion().split(".")
    assert refused(gate, f"{head}.{part({'email': ADMIN})}.{signature}")


def test_an_unsigned_token_is_refused(gate: IapGate, iap: Iap) -> None:
    """The algorithm 'none' is none."""
    _, claims, _ = iap.assertion().split(".")
    assert refused(gate, f"{part({'alg': 'none', 'kid': iap.key_id})}.{claims}.")


def test_a_public_key_cannot_serve_as_a_shared_secret(gate: IapGate, iap: Iap) -> None:
    """A token signed by HMAC with the public key as its secret is refused."""
    public = iap.private_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _, claims, _ = iap.assertion().split(".")
    signed = f"{part({'alg': 'HS256', 'kid': iap.key_id})}.{claims}"
    signature = base64.urlsafe_b64encode(hmac.digest(public, signed.encode(), "sha256")).decode().rstrip("=")
    assert refused(gate, f"{signed}.{signature}")


def test_a_new_key_is_found_without_a_restart(iap: Iap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When Google rotates its keys, the first assertion with the new one makes us read them again."""
    monkeypatch.setattr("services.web.identity._KEYS_PAUSE_SECONDS", 0)
    gate = IapGate(AUDIENCE, IapKeys(iap.keys_url), frozenset())
    assert admit(gate, iap.assertion())
    (tmp_path / "next").mkdir()
    newer = Iap(tmp_path / "next", key_id="b")
    assert refused(gate, newer.assertion())
    iap.publish(iap, newer)
    assert admit(gate, newer.assertion())
    assert admit(gate, iap.assertion())


def test_forged_key_ids_do_not_make_us_ask_google_each_time(iap: Iap, tmp_path: Path) -> None:
    """A flood of unknown key ids leads to one look at Google's keys."""
    looks = 0

    def read(url: str) -> dict[str, Any]:
        nonlocal looks
        looks += 1
        assert url == "https://keys"
        return {"keys": [iap.public_key]}

    gate = IapGate(AUDIENCE, IapKeys("https://keys", read), frozenset())
    (tmp_path / "forger").mkdir()
    forger = Iap(tmp_path / "forger", key_id="z")
    assert all(refused(gate, forger.assertion()) for _ in range(20))
    assert admit(gate, iap.assertion())
    assert looks == 1


def test_without_keys_the_answer_is_not_now(iap: Iap, tmp_path: Path) -> None:
    """If Google's keys cannot be had, nobody gets in, and the answer says that it is not the person's fault."""
    gate = IapGate(AUDIENCE, IapKeys((tmp_path / "nowhere").as_uri()), frozenset())
    with pytest.raises(Problem) as raised:
        admit(gate, iap.assertion())
    assert raised.value.status == 503


HERE = {"SERVER_NAME": "127.0.0.1", "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8080"}


@pytest.mark.parametrize(
    "changes",
    [
        {"SERVER_NAME": "0.0.0.0"},
        {"SERVER_NAME": "10.0.0.3"},
        {"REMOTE_ADDR": "10.0.0.9"},
        {"REMOTE_ADDR": ""},
        {"HTTP_HOST": "spotmill.example.org"},
        {"HTTP_HOST": "127.0.0.1.example.org:8080"},
        {"HTTP_HOST": ""},
        {"HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"HTTP_FORWARDED": "for=127.0.0.1"},
        {"HTTP_VIA": "1.1 proxy"},
    ],
    ids=str,
)
def test_the_development_user_is_for_this_machine_only(changes: dict[str, str]) -> None:
    """A service bound to the network, a caller elsewhere, another host name or a proxy lets nobody in."""
    gate = DevelopmentGate("You@localhost", frozenset())
    assert gate.admit(HERE) == Person("you@localhost", admin=False)
    assert gate.admit(HERE | {"HTTP_HOST": "[::1]:8080", "REMOTE_ADDR": "::1", "SERVER_NAME": "::1"})
    with pytest.raises(Problem) as raised:
        gate.admit(HERE | changes)
    assert raised.value.status == 401


def settings(**values: Any) -> WebSettings:
    needed = {"project": "p", "database_url": "postgresql+pg8000://x", "upload_bucket": "up", "result_bucket": "down"}
    return WebSettings.model_validate(needed | values)


def test_a_development_user_beyond_loopback_does_not_start() -> None:
    """The setting for one machine cannot open a service that has a public address."""
    with pytest.raises(SettingsError, match="SPOTMILL_DEV_USER"):
        open_gate(settings(dev_user="you@localhost", web_url="https://spotmill.example.org"))


def test_iap_without_a_public_address_does_not_start() -> None:
    """Without its address the service could not tell its own pages' requests from others'."""
    with pytest.raises(SettingsError, match="SPOTMILL_WEB_URL"):
        open_gate(settings(iap_audience=AUDIENCE))
