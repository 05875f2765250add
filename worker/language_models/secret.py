"""A key out of Secret Manager.

https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access, by google-auth alone:
the client library would be one more dependency for one request.
"""

import base64
import binascii
import re
from typing import Any

import google.auth
import google_crc32c
import requests
import stamina
from google.auth import exceptions as auth_exceptions
from google.auth.transport.requests import AuthorizedSession

from spotmill.language_model import LanguageModelError

ENDPOINT = "https://secretmanager.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TIMEOUT_SECONDS = 30.0

_NAME = re.compile(
    r"projects/[a-z0-9.:-]+(?:/locations/[a-z0-9-]+)?/secrets/[A-Za-z0-9_-]{1,255}(?:/versions/[A-Za-z0-9_-]+)?"
)


class _AwayError(Exception):
    """Secret Manager may answer later."""


def key_from_secret(name: str, endpoint: str = ENDPOINT) -> str:
    """Read ``projects/…/secrets/…``, the latest version unless it names one; the VM's own credentials must allow it.

    Raises:
        ValueError: the name is none of a secret.
        LanguageModelError: the secret cannot be read; the text says why and names it.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} names no secret: projects/PROJECT/secrets/NAME, perhaps with /versions/VERSION")
    version = name if "/versions/" in name else f"{name}/versions/latest"
    try:
        answer = _access(f"{endpoint.rstrip('/')}/v1/{version}:access")
    except (_AwayError, requests.RequestException, auth_exceptions.TransportError) as error:
        raise LanguageModelError(f"Secret Manager does not answer for {version}", retryable=True) from error
    except auth_exceptions.GoogleAuthError as error:
        raise LanguageModelError(f"there are no credentials to read {version} with") from error
    if answer.status_code != 200:
        why = {403: "this service account may not read it", 404: "there is no such version"}
        reason = why.get(answer.status_code, "see its audit log")
        raise LanguageModelError(f"Secret Manager refused {version} ({answer.status_code}): {reason}")
    return _key(answer, version)


@stamina.retry(on=(_AwayError, requests.ConnectionError, requests.Timeout), attempts=4, timeout=60, wait_max=5)
def _access(url: str) -> requests.Response:
    credentials, _ = google.auth.default(scopes=[SCOPE])
    session: Any = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
    with session:
        answer: requests.Response = session.get(
            url, timeout=TIMEOUT_SECONDS, max_allowed_time=TIMEOUT_SECONDS, allow_redirects=False
        )
    if answer.status_code in {408, 429} or answer.status_code >= 500:
        raise _AwayError(f"status {answer.status_code}")
    return answer


def _key(answer: requests.Response, version: str) -> str:
    try:
        payload: Any = answer.json()["payload"]
        content = base64.b64decode(payload["data"], validate=True)
        told = payload.get("dataCrc32c")
        key = content.decode().strip()
    except (requests.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError, binascii.Error) as error:
        raise LanguageModelError(f"Secret Manager answered something unreadable for {version}") from error
    if told is not None and int(told) != google_crc32c.value(content):
        raise LanguageModelError(f"the checksum of {version} is wrong", retryable=True)
    if not key or any(character.isspace() or not character.isprintable() for character in key):
        raise LanguageModelError(f"{version} holds no key: one line of text is expected")
    return key
