"""The two checksums of an object, and holding them against what a client says they should be."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import google_crc32c

from local.gcs.errors import StorageError


@dataclass(frozen=True, slots=True)
class Digests:
    """crc32c always; md5 but for composed objects, as in the real service."""

    crc32c: int
    md5: bytes | None

    @property
    def crc32c_base64(self) -> str:
        """Big-endian base64, the form of the APIs."""
        return base64.b64encode(self.crc32c.to_bytes(4, "big")).decode()

    @property
    def md5_base64(self) -> str | None:
        """Base64, the form of the APIs."""
        return base64.b64encode(self.md5).decode() if self.md5 is not None else None


@dataclass(slots=True)
class Digester:
    """Both checksums of bytes that come in pieces."""

    crc32c: int = 0
    md5: "hashlib._Hash" = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))

    def update(self, block: bytes) -> None:
        """Take the next piece. hashlib releases the GIL for it; crc32c runs at tens of GB/s."""
        self.crc32c = google_crc32c.extend(self.crc32c, block)
        self.md5.update(block)

    def digests(self) -> Digests:
        """The checksums of all pieces so far."""
        return Digests(self.crc32c, self.md5.digest())


@dataclass(frozen=True, slots=True)
class ExpectedDigests:
    """What the client says the checksums are; None where it says nothing."""

    crc32c: bytes | None = None
    md5: bytes | None = None

    @classmethod
    def from_resource(cls, resource: Mapping[str, Any]) -> "ExpectedDigests":
        """Read ``crc32c`` and ``md5Hash`` of an object resource.

        Raises:
            StorageError: one of them is not base64 of the right length.
        """
        return cls(_decode("crc32c", resource.get("crc32c"), 4), _decode("md5", resource.get("md5Hash"), 16))

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> "ExpectedDigests":
        """Read ``Content-MD5`` and ``x-goog-hash``.

        Raises:
            StorageError: one of them is not base64 of the right length.
        """
        expected = cls(md5=_decode("md5", headers.get("Content-MD5"), 16))
        for part in headers.get("x-goog-hash", "").split(","):
            name, _, value = part.strip().partition("=")
            if name == "crc32c":
                expected = replace(expected, crc32c=_decode(name, value, 4))
            elif name == "md5":
                expected = replace(expected, md5=_decode(name, value, 16))
        return expected

    @property
    def crc32c_base64(self) -> str | None:
        """In the JSON API's form."""
        return base64.b64encode(self.crc32c).decode() if self.crc32c is not None else None

    @property
    def md5_base64(self) -> str | None:
        """In the JSON API's form."""
        return base64.b64encode(self.md5).decode() if self.md5 is not None else None

    def also(self, later: "ExpectedDigests") -> "ExpectedDigests":
        """Both expectations together; what was said later wins."""
        return ExpectedDigests(later.crc32c or self.crc32c, later.md5 or self.md5)

    def check(self, actual: Digests) -> None:
        """Hold the expectation against the bytes.

        Raises:
            StorageError: they are not the bytes the client meant.
        """
        if self.crc32c is not None and self.crc32c != actual.crc32c.to_bytes(4, "big"):
            raise _mismatch("CRC32C", self.crc32c, actual.crc32c_base64)
        if self.md5 is not None and self.md5 != actual.md5:
            raise _mismatch("MD5 hash", self.md5, actual.md5_base64 or "")


def _decode(name: str, text: Any, length: int) -> bytes | None:
    if text is None:
        return None
    try:
        value = base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != length:
        raise StorageError(400, "InvalidDigest", "invalid", f"Invalid {name} hash: {text}")
    return value


def _mismatch(kind: str, expected: bytes, actual: str) -> StorageError:
    given = base64.b64encode(expected).decode()
    return StorageError(
        400, "BadDigest", "invalid", f'Provided {kind} "{given}" doesn\'t match calculated {kind} "{actual}".'
    )
