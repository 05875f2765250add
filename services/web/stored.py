"""Small results that the service reads itself, to show them or to send them from its own address."""

from dataclasses import dataclass

from services.web.backends import Backends


@dataclass(frozen=True, slots=True)
class Stored:
    """An object in the result bucket."""

    object: str
    generation: int
    size_bytes: int


def content(backends: Backends, stored: Stored) -> bytes:
    """Read an object; who asks has looked at its size.

    Raises what Cloud Storage raises.
    """
    found: bytes = backends.result_bucket.blob(stored.object, generation=stored.generation).download_as_bytes()
    return found
