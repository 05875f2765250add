"""Where a page of jobs begins: the last row of the page before, in one opaque word."""

import base64
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from services.web.problems import Problem


@dataclass(frozen=True, slots=True)
class Cursor:
    """The key of the listing; the next page has what is older."""

    created_at: datetime
    id: uuid.UUID

    def encode(self) -> str:
        """Write it for an address."""
        text = json.dumps([self.created_at.isoformat(), str(self.id)], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, word: str) -> Self:
        """Read what ``encode`` wrote.

        Raises:
            Problem: 400, it is something else.
        """
        try:
            padded = word + "=" * (-len(word) % 4)
            created_at, job = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            return cls(datetime.fromisoformat(created_at).astimezone(UTC), uuid.UUID(job))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            raise Problem(400, "No such page", "The cursor is not one that this listing gave out.") from None
