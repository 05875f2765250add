"""Makes the service-account key that local signed URLs are signed with; the local GCS accepts signatures by it."""

import json
import uuid
from pathlib import Path

from local import atomic


def ensure(path: Path, project: str) -> None:
    """Write a key file in Google's own form, unless there is one."""
    if path.exists():
        return
    # Needed once in the life of a data directory, and slow to import.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    email = f"spotmill-web@{project}.iam.gserviceaccount.com"
    key = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": uuid.uuid4().hex,
        "private_key": private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode("ascii"),
        "client_email": email,
        "client_id": str(uuid.uuid4().int % 10**21),
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    atomic.write(path, json.dumps(key, indent=2) + "\n")
