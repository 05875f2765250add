"""A resumable upload as it is stored: its row, and what its first request laid down."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from local.gcs.length_range import LengthRange
from local.gcs.precondition import Preconditions


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What the request that started a session laid down for all that follow."""

    #: ``json`` or ``xml``: how answers look.
    api: str
    properties: Mapping[str, Any]
    preconditions: Preconditions = field(default_factory=Preconditions)
    #: The checksums in the JSON API's base64.
    crc32c: str | None = None
    md5: str | None = None
    origin: str | None = None
    total: int | None = None
    length_range: LengthRange = field(default_factory=LengthRange)

    def to_json(self) -> str:
        """For the session's row."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "SessionRequest":
        """From the session's row."""
        values = json.loads(text)
        values["preconditions"] = Preconditions(**values["preconditions"])
        values["length_range"] = LengthRange(**values["length_range"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Session:
    """A session's row. ``state`` is open, done or cancelled."""

    id: str
    bucket: str
    name: str
    body: str
    persisted: int
    state: str
    generation: int | None
    request: SessionRequest


def session_from_row(row: sqlite3.Row) -> Session:
    """Make the session of its row."""
    return Session(
        id=row["id"],
        bucket=row["bucket"],
        name=row["name"],
        body=row["body"],
        persisted=row["persisted"],
        state=row["state"],
        generation=row["generation"],
        request=SessionRequest.from_json(row["request"]),
    )
