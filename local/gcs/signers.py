"""The public keys of the service accounts whose signatures this server accepts."""

import json
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


class Signers:
    """Reads service-account key files; one that appears or changes later is read when it is needed."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = tuple(files)
        self._read: dict[Path, int] = {}
        self._keys: dict[str, list[rsa.RSAPublicKey]] = {}

    def verify(self, email: str, signature: bytes, message: bytes) -> bool:
        """Tell whether ``email`` signed the message (RSA PKCS #1 v1.5, SHA-256)."""
        self._refresh()
        return any(_verifies(key, signature, message) for key in self._keys.get(email, ()))

    def knows(self, email: str) -> bool:
        """Tell whether there is a key of this service account."""
        self._refresh()
        return email in self._keys

    def _refresh(self) -> None:
        for file in self._files:
            try:
                changed = file.stat().st_mtime_ns
                if self._read.get(file) == changed:
                    continue
                described = json.loads(file.read_text())
                key = serialization.load_pem_private_key(described["private_key"].encode(), password=None)
            except (OSError, ValueError, KeyError):
                continue  # not there yet, or half written: the next signature looks again
            if isinstance(key, rsa.RSAPrivateKey):
                self._keys.setdefault(described["client_email"], []).append(key.public_key())
                self._read[file] = changed


def _verifies(key: rsa.RSAPublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
