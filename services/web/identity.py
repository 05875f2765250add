"""Who is asking: the IAP assertion, verified here again, or the development user on loopback."""

import ipaddress
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
import structlog

from services.web.problems import Problem, unavailable
from services.web.views import Person
from shared.settings import SettingsError, WebSettings

ASSERTION_HEADER = "X-Goog-IAP-JWT-Assertion"
#: Source of both: https://cloud.google.com/iap/docs/signed-headers-howto
_ISSUER = "https://cloud.google.com/iap"
_ALGORITHM = "ES256"
_LEEWAY_SECONDS = 30
_KEYS_LIFE_SECONDS = 6 * 3600
#: A forged key id must not make us ask Google for keys at every request.
_KEYS_PAUSE_SECONDS = 30
_FETCH_SECONDS = 5

log = structlog.get_logger()


class Gate(Protocol):
    """Lets a request in as a person."""

    def admit(self, environ: Mapping[str, Any]) -> Person:
        """Return who is asking.

        Raises:
            Problem: 401 if that is not certain.
        """


def _refused(reason: str) -> Problem:
    log.warning("identity.refused", reason=reason)
    return Problem(401, "Please sign in", "This request carries no valid sign-in. Reload the page to sign in again.")


def fetch(url: str) -> dict[str, Any]:
    """Read a JSON document over HTTP."""
    with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - the URL is a setting
        document: dict[str, Any] = json.load(answer)
        return document


class IapKeys:
    """Google's public keys for IAP, kept for hours; an unknown key id fetches them again, though not all the time."""

    def __init__(self, url: str, read: Callable[[str], dict[str, Any]] = fetch) -> None:
        self._url = url
        self._read = read
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")

    def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return a key, None if Google publishes none of this id.

        Raises:
            Problem: 503 if the keys cannot be had.
        """
        with self._lock:
            now = time.monotonic()
            stale = now - self._fetched > _KEYS_LIFE_SECONDS
            if (stale or key_id not in self._keys) and now - self._tried > _KEYS_PAUSE_SECONDS:
                self._tried = now
                self._refresh()
            if not self._keys:
                raise unavailable("Sign-in cannot be checked", "Google's public keys could not be fetched.")
            return self._keys.get(key_id)

    def _refresh(self) -> None:
        try:
            keys = jwt.PyJWKSet.from_dict(self._read(self._url)).keys
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.warning("identity.keys", url=self._url, reason=str(error))
            return
        self._keys = {key.key_id: key for key in keys if key.key_id is not None}
        self._fetched = time.monotonic()


class IapGate:
    """Believes nothing but an assertion that IAP signed for this very service."""

    def __init__(self, audience: str, keys: IapKeys, admins: frozenset[str]) -> None:
        self._audience = audience
        self._keys = keys
        self._admins = admins

    def admit(self, environ: Mapping[str, Any]) -> Person:
        """Verify signature, issuer, audience and times."""
        assertion = environ.get("HTTP_X_GOOG_IAP_JWT_ASSERTION")
        if not assertion:
            raise _refused("no assertion")
        try:
            key = self._keys.find(str(jwt.get_unverified_header(assertion).get("kid", "")))
            if key is None:
                raise _refused("unknown key")
            claims = jwt.decode(
                assertion,
                key.key,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=_ISSUER,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "aud", "iss", "sub"]},
            )
        except jwt.PyJWTError as error:
            raise _refused(str(error)) from None
        email = claims.get("email")
        if not isinstance(email, str) or "@" not in email:
            raise _refused("no e-mail in the assertion")
        return person(email, self._admins)


class DevelopmentGate:
    """Takes everybody on this machine for one person; lets nothing in that came from elsewhere."""

    def __init__(self, email: str, admins: frozenset[str]) -> None:
        self._person = person(email, admins)

    def admit(self, environ: Mapping[str, Any]) -> Person:
        """Check that both ends are this machine, that it was addressed as such, and that no proxy stands between."""
        host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
        ends = (environ.get("SERVER_NAME", ""), environ.get("REMOTE_ADDR", ""), host)
        if not all(map(is_loopback, ends)):
            raise _refused(f"the development user is for this machine only, not {ends}")
        if any(name in environ for name in ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_VIA")):
            raise _refused("the development user is not for requests through a proxy")
        return self._person


def person(email: str, admins: frozenset[str]) -> Person:
    """Make a person of an e-mail, in lower case everywhere."""
    email = email.strip().lower()
    return Person(email, email in admins)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine's own."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def open_gate(settings: WebSettings) -> Gate:
    """Choose the gate that the settings ask for.

    Raises:
        SettingsError: the development user is set for a service that is not on loopback, or the other way round.
    """
    admins = frozenset(settings.admins)
    local = is_loopback(urlsplit(settings.web_url).hostname or "")
    if settings.dev_user is not None:
        if not local:
            raise SettingsError(
                "SPOTMILL_DEV_USER is for this machine only, but SPOTMILL_WEB_URL is not on loopback "
                f"(is {settings.web_url!r})"
            )
        return DevelopmentGate(settings.dev_user, admins)
    if local:
        raise SettingsError("SPOTMILL_WEB_URL: set the https:// address under which people reach the service")
    if settings.iap_audience is None:
        raise SettingsError("SPOTMILL_IAP_AUDIENCE: Field required")
    return IapGate(settings.iap_audience, IapKeys(settings.iap_keys_url), admins)
