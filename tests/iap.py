"""A stand-in for Identity-Aware Proxy: keys made for the tests, and assertions signed with them."""

import json
import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

AUDIENCE = "/projects/1/global/backendServices/2"
ISSUER = "https://cloud.google.com/iap"


class Iap:
    """Signs as IAP does; ``keys_url`` is where its public keys are."""

    def __init__(self, directory: Path, key_id: str = "a") -> None:
        self.key_id = key_id
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self._file = directory / "iap-keys.json"
        self.publish(self)

    @property
    def keys_url(self) -> str:
        return self._file.as_uri()

    @property
    def public_key(self) -> dict[str, Any]:
        """The public key as a JWK."""
        described = json.loads(ECAlgorithm.to_jwk(self.private_key.public_key()))
        return {**described, "kid": self.key_id, "alg": "ES256", "use": "sig"}

    def publish(self, *signers: "Iap") -> None:
        """Write the public keys of these signers where the service reads them."""
        self._file.write_text(json.dumps({"keys": [signer.public_key for signer in signers]}), encoding="utf-8")

    def assertion(self, email: str = "ada@example.org", **changes: Any) -> str:
        """Sign an assertion; ``changes`` replace claims, None leaves a claim out."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "accounts.google.com:1", "email": email, "iat": now}
        claims |= {"exp": now + 600} | changes
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.private_key, algorithm="ES256", headers={"kid": self.key_id})
