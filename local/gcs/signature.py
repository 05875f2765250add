"""V4 signatures: ``GOOG4-RSA-SHA256`` in the query of a signed URL or in the Authorization header.

https://cloud.google.com/storage/docs/authentication/signatures and .../canonical-requests
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

from local.gcs.errors import StorageError
from local.gcs.signers import Signers

ALGORITHM = "GOOG4-RSA-SHA256"
MAX_EXPIRES_SECONDS = 7 * 24 * 3600
#: How far ahead of ours a signer's clock may be.
CLOCK_SKEW = timedelta(minutes=15)
_AUTHORIZATION = re.compile(rf"{ALGORITHM}\s+Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([^,\s]+)")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a request claims about its signature."""

    credential: str
    moment: datetime
    expires: timedelta
    signed_headers: tuple[str, ...]
    value: bytes

    @property
    def email(self) -> str:
        """The service account that is said to have signed."""
        return self.credential.split("/", 1)[0]

    @property
    def scope(self) -> str:
        """``date/location/storage/goog4_request``."""
        return self.credential.partition("/")[2]


def is_signed(query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    """Tell whether a request claims a V4 signature at all."""
    return "X-Goog-Signature" in query or headers.get("Authorization", "").startswith(ALGORITHM)


def verify(
    signers: Signers, *, method: str, path: str, raw_query: str, headers: Mapping[str, str], now: datetime
) -> None:
    """Hold a request against its signature. ``path`` and ``raw_query`` are as sent; ``headers`` find names in any case.

    Raises:
        StorageError: with the code, status and elements the real service uses.
    """
    parameters = parse_qsl(raw_query, keep_blank_values=True)
    claim = _from_query(dict(parameters)) if "X-Goog-Signature" in dict(parameters) else _from_header(headers)
    if claim.moment > now + CLOCK_SKEW:
        raise _malformed("X-Goog-Date", "The request was signed in the future.")
    if now > claim.moment + claim.expires:
        at = (claim.moment + claim.expires).isoformat(timespec="seconds")
        raise StorageError(
            400,
            "ExpiredToken",
            "authError",
            "Invalid argument.",
            details=f"The provided token has expired. Request signature expired at: {at}",
        )
    _check_headers(claim, headers)
    canonical = canonical_request(method, path, parameters, claim.signed_headers, headers)
    stamp = claim.moment.strftime("%Y%m%dT%H%M%SZ")
    to_sign = "\n".join((ALGORITHM, stamp, claim.scope, hashlib.sha256(canonical.encode()).hexdigest()))
    if not signers.knows(claim.email):
        raise StorageError(
            403, "AccessDenied", "forbidden", "Access denied.", details=f"No key of {claim.email} is known here."
        )
    if not signers.verify(claim.email, claim.value, to_sign.encode()):
        raise StorageError(
            403,
            "SignatureDoesNotMatch",
            "forbidden",
            "Access denied.",
            details="The request signature we calculated does not match the signature you provided."
            " Check your Google secret key and signing method.",
            elements={"StringToSign": to_sign, "CanonicalRequest": canonical},
        )


def canonical_request(
    method: str,
    path: str,
    parameters: list[tuple[str, str]],
    signed_headers: tuple[str, ...],
    headers: Mapping[str, str],
) -> str:
    """The text whose hash is signed. Encodings are made uniform first: a client may escape more than it must."""
    pairs = sorted((_encode(name), _encode(value)) for name, value in parameters if name != "X-Goog-Signature")
    lines = [f"{name}:{_header_value(headers, name)}" for name in signed_headers]
    payload = headers.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD")
    return "\n".join(
        (
            method,
            quote(unquote(path), safe="/~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *lines,
            "",
            ";".join(signed_headers),
            payload,
        )
    )


def _check_headers(claim: Signature, headers: Mapping[str, str]) -> None:
    if "host" not in claim.signed_headers:
        raise _malformed("host", "The host header must be signed.")
    for name in claim.signed_headers:
        if name not in headers:
            raise _malformed(name, "Header was included in signedheaders, but not in the request.")
    for name in headers:
        if name.lower().startswith("x-goog-") and name.lower() not in claim.signed_headers:
            raise _malformed(name.lower(), "Header was included in the request, but not in signedheaders.")


def _from_query(query: Mapping[str, str]) -> Signature:
    names = ("X-Goog-Algorithm", "X-Goog-Credential", "X-Goog-Date", "X-Goog-Expires", "X-Goog-SignedHeaders")
    for name in names:
        if not query.get(name):
            raise _malformed(name, "The query parameter is missing.")
    if query["X-Goog-Algorithm"] != ALGORITHM:
        raise _malformed("X-Goog-Algorithm", f"Only {ALGORITHM} is supported here.")
    expires = query["X-Goog-Expires"]
    if not (expires.isascii() and expires.isdigit()) or not 1 <= int(expires) <= MAX_EXPIRES_SECONDS:
        raise _malformed("X-Goog-Expires", f"It must be from 1 to {MAX_EXPIRES_SECONDS} seconds.")
    return _claim(
        query["X-Goog-Credential"],
        query["X-Goog-Date"],
        timedelta(seconds=int(expires)),
        query["X-Goog-SignedHeaders"],
        query["X-Goog-Signature"],
    )


def _from_header(headers: Mapping[str, str]) -> Signature:
    match = _AUTHORIZATION.fullmatch(headers.get("Authorization", "").strip())
    if match is None:
        raise _malformed("authorization", "The Authorization header is not a V4 signature.")
    return _claim(match[1], headers.get("x-goog-date", ""), CLOCK_SKEW, match[2], match[3])


def _claim(credential: str, stamp: str, expires: timedelta, signed_headers: str, signature: str) -> Signature:
    try:
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise _malformed("X-Goog-Date", "It must look like 20251203T150405Z.") from error
    parts = credential.split("/")
    if len(parts) != 5 or parts[1] != stamp[:8] or parts[3:] != ["storage", "goog4_request"]:
        raise _malformed("X-Goog-Credential", "It must be <email>/<date>/<location>/storage/goog4_request.")
    try:
        value = bytes.fromhex(signature)
    except ValueError as error:
        raise _malformed("X-Goog-Signature", "Signature was not hex encoded.") from error
    return Signature(credential, moment, expires, tuple(signed_headers.lower().split(";")), value)


def _header_value(headers: Mapping[str, str], name: str) -> str:
    getall = getattr(headers, "getall", None)
    values = getall(name) if getall is not None else [headers[name]]
    return ",".join(" ".join(value.split()) for value in values)


def _encode(text: str) -> str:
    return quote(text, safe="~")


def _malformed(name: str, details: str) -> StorageError:
    return StorageError(
        400,
        "MalformedSecurityHeader",
        "invalid",
        "Your request has a malformed header.",
        details=details,
        elements={"ParameterName": name},
    )
