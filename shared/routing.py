"""Which pipeline an object goes to: the one that was asked for, else the first that accepts its content type."""

import mimetypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from shared.models import PipelineRow

#: Pipeline name of objects that none accepts; they are recorded as failed, so that people see why.
UNROUTED = "none"
#: What is said of a file of which nobody knows what it is.
UNKNOWN_TYPE = "application/octet-stream"
_GENERIC = (UNKNOWN_TYPE, "binary/octet-stream", "")
#: Types that the standard table does not know on every machine.
_EXTRA = {
    ".avif": "image/avif",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".webp": "image/webp",
    ".opus": "audio/opus",
    ".m4a": "audio/mp4",
    ".mka": "audio/x-matroska",
    ".flac": "audio/flac",
    ".mkv": "video/x-matroska",
    ".mts": "video/mp2t",
    ".m2ts": "video/mp2t",
    ".mxf": "application/mxf",
    ".caf": "audio/x-caf",
    ".ts": "video/mp2t",
    ".vob": "video/mpeg",
    ".ogv": "video/ogg",
    # Cameras' raw files, as IANA or their makers name them; the pipeline goes by what is in them.
    **{
        f".{ending}": f"image/x-{ending}"
        for ending in ("arw", "cr2", "cr3", "dng", "nef", "orf", "pef", "raf", "rw2", "srw")
    },
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A pipeline and the content types it accepts (``image/*`` matches every image)."""

    name: str
    accepts: tuple[str, ...]
    settings_schema: dict[str, Any] = field(default_factory=dict)

    def takes(self, content_type: str) -> bool:
        """Tell whether this pipeline accepts a content type."""
        return any(
            content_type == pattern or (pattern.endswith("/*") and content_type.startswith(pattern[:-1]))
            for pattern in self.accepts
        )


def content_type_of(claimed: str, name: str) -> str:
    """Return the claimed content type without parameters, or the one the name suggests if the claim says nothing."""
    plain = claimed.partition(";")[0].strip().lower()
    if plain not in _GENERIC:
        return plain
    ending = "." + name.rsplit(".", 1)[-1].lower()
    return _EXTRA.get(ending) or mimetypes.guess_type(name)[0] or UNKNOWN_TYPE


def route(offers: Sequence[Offer], *, asked: str | None, content_type: str, name: str) -> tuple[str, str | None]:
    """Return (pipeline, None), or (name to record it under, why nothing can process it)."""
    if asked is not None:
        if any(offer.name == asked for offer in offers):
            return asked, None
        known = ", ".join(offer.name for offer in offers) or "none"
        return asked, f"There is no pipeline named {asked!r}. Installed: {known}."
    kind = content_type_of(content_type, name)
    for offer in offers:
        if offer.takes(kind):
            return offer.name, None
    if kind == UNKNOWN_TYPE:
        return UNROUTED, "Nobody says what this file is, and its first bytes do not tell. Choose a pipeline for it."
    return UNROUTED, f"No installed pipeline accepts {kind} files."


def installed_offers(connection: Connection) -> list[Offer]:
    """Read what the deployed worker image can do, in the order of names."""
    rows = connection.execute(
        select(PipelineRow.name, PipelineRow.accepts, PipelineRow.settings_schema).order_by(PipelineRow.name)
    )
    return [Offer(row.name, tuple(row.accepts), row.settings_schema) for row in rows]
