"""``Content-Range`` of uploads and ``Range`` of downloads."""

import re
from dataclasses import dataclass

from local.gcs.errors import StorageError, invalid

_CONTENT_RANGE = re.compile(r"bytes\s+(?:(\d+)-(\d+)|\*)/(?:(\d+)|\*)")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class ContentRange:
    """What part of an upload a request carries. ``first`` None: none, it asks how far the upload is.

    ``last`` None: to wherever the body ends. ``total`` None: not known yet.
    """

    first: int | None
    last: int | None
    total: int | None

    def check_within(self, end: int) -> None:
        """Hold the end of the bytes received so far against what was announced.

        Raises:
            StorageError: more came.
        """
        if self.last is not None and end > self.last + 1:
            raise invalid(f"More bytes were sent than bytes {self.first}-{self.last} has.")

    def check_complete(self, end: int) -> None:
        """Hold the end of all bytes received against what was announced.

        Raises:
            StorageError: fewer came.
        """
        if self.last is not None and end != self.last + 1:
            raise invalid(f"Fewer bytes were sent than bytes {self.first}-{self.last} has.")


def parse_content_range(text: str | None, content_length: int | None) -> ContentRange:
    """Read the header; without one the request carries all of the object.

    Raises:
        StorageError: it cannot be understood.
    """
    if text is None:
        return ContentRange(0, None if content_length is None else content_length - 1, content_length)
    match = _CONTENT_RANGE.fullmatch(text.strip())
    if match is None:
        raise invalid(f"Failed to parse Content-Range header: {text}")
    first, last, total = (int(group) if group is not None else None for group in match.groups())
    if first is not None and last is not None and (last < first or (total is not None and last >= total)):
        raise invalid(f"Invalid Content-Range header: {text}")
    return ContentRange(first, last, total)


def parse_range(text: str | None, size: int) -> tuple[int, int] | None:
    """Read the header of a download: first and last byte, or None for all of it.

    More than one range, and whatever is no byte range, is answered with everything, as the real service does.

    Raises:
        StorageError: there is no such byte (416).
    """
    match = _RANGE.fullmatch((text or "").strip())
    if match is None or match[0] == "bytes=-":
        return None
    start, end = match.groups()
    if start and end and int(end) < int(start):
        return None
    first = int(start) if start else max(0, size - int(end))
    last = min(int(end), size - 1) if start and end else size - 1
    if first >= size or (not start and int(end) == 0):
        raise StorageError(
            416, "InvalidRange", "requestedRangeNotSatisfiable", "The requested range cannot be satisfied."
        )
    return first, last
