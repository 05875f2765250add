"""Signed URLs: permission to send or fetch one object for a few minutes, made without asking Cloud Storage.

Source: https://cloud.google.com/storage/docs/access-control/signed-urls (V4).
"""

from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import google.auth
from google.auth import credentials as auth
from google.auth import iam
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import Request
from google.cloud.storage import Client
from google.oauth2 import service_account

from shared.settings import WebSettings

#: Seconds that the metadata server or IAM may take to answer.
_DEADLINE_SECONDS = 10
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: What a browser may show in place; anything else is saved as a file.
_SHOWN = ("image/", "audio/", "video/", "text/plain", "text/vtt", "application/json", "application/pdf")
_NEVER_SHOWN = ("image/svg",)


class IamSigningCredentials(auth.Credentials, auth.Signing):
    """Sign as a service account through IAM signBlob: no key file exists anywhere."""

    def __init__(self, request: Any, source: Any, email: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._email = email
        self._signer = iam.Signer(request, source, email)  # type: ignore[no-untyped-call]

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the signature that IAM makes.

        Raises:
            google.auth.exceptions.TransportError: IAM refused or did not answer.
        """
        signature: bytes = self._signer.sign(message)
        return signature

    @property
    def signer(self) -> Any:
        """The signer itself."""
        return self._signer

    @property
    def signer_email(self) -> str:
        """The service account whose name is in the URL."""
        return self._email

    def refresh(self, request: Any) -> None:
        """Nothing to renew: the source of the IAM call renews itself."""


def signing_credentials(settings: WebSettings) -> Any:
    """Open what signs: the key file of the settings, else IAM in the name of this process's service account.

    Raises:
        OSError, ValueError: the key file cannot be read.
        google.auth.exceptions.GoogleAuthError: there are no credentials here.
    """
    if settings.signer_key is not None:
        return service_account.Credentials.from_service_account_file(settings.signer_key)  # type: ignore[no-untyped-call]
    request = partial(Request(), timeout=_DEADLINE_SECONDS)
    source: Any = google.auth.default(scopes=[_SCOPE])[0]
    email = settings.signer_email
    if email is None:
        source.refresh(request)  # the metadata server tells its account's e-mail with the first token
        email = source.service_account_email
    return IamSigningCredentials(request, source, email)


def content_disposition(filename: str, *, attachment: bool) -> str:
    """Name a file for a browser in ASCII and in full (RFC 6266)."""
    kind = "attachment" if attachment else "inline"
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\' else "_" for letter in filename
    )
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def shown_in_place(content_type: str) -> bool:
    """Tell whether a browser may show a file of this type instead of saving it."""
    return content_type.startswith(_SHOWN) and not content_type.startswith(_NEVER_SHOWN)


class UrlSigner:
    """Makes V4 signed URLs below ``public_url`` (None: Google's own)."""

    def __init__(self, credentials: Any, *, public_url: str | None, life_seconds: int) -> None:
        self.life_seconds = life_seconds
        self._credentials = credentials
        self._public_url = public_url.rstrip("/") if public_url else "https://storage.googleapis.com"
        # Signing is arithmetic: this client never calls anybody.
        self._client = Client(project="-", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]

    def _sign(self, bucket: str, name: str, **options: Any) -> str:
        url: str = (
            self._client.bucket(bucket)
            .blob(name)
            .generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=self.life_seconds),
                api_access_endpoint=self._public_url,
                credentials=self._credentials,
                **options,
            )
        )
        return url

    def upload(self, bucket: str, name: str, *, method: str, headers: dict[str, str]) -> str:
        """Permit sending ``bucket/name`` once with exactly these headers."""
        return self._sign(bucket, name, method=method, headers=dict(headers))  # it adds Host to what it is given

    def download(
        self, bucket: str, name: str, generation: int, *, content_type: str, filename: str, attachment: bool
    ) -> str:
        """Permit fetching one generation, under this name and type whatever the object's metadata say."""
        return self._sign(
            bucket,
            name,
            method="GET",
            generation=generation,
            response_type=content_type,
            response_disposition=content_disposition(
                filename, attachment=attachment or not shown_in_place(content_type)
            ),
        )
