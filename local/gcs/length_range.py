"""``x-goog-content-length-range``: how small and how large an upload may be."""

import re
from dataclasses import dataclass

from local.gcs.errors import StorageError, invalid


@dataclass(frozen=True, slots=True)
class LengthRange:
    """Bounds in bytes, both included; None asks nothing."""

    least: int | None = None
    most: int | None = None

    @classmethod
    def parse(cls, text: str | None) -> "LengthRange":
        """Read the header.

        Raises:
            StorageError: it is not two numbers.
        """
        if text is None:
            return cls()
        match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*", text)
        if match is None:
            raise invalid(f"Invalid x-goog-content-length-range: {text}")
        return cls(int(match[1]), int(match[2]))

    def check(self, length: int | None) -> None:
        """Hold a length against the bounds; one that is not known yet passes.

        Raises:
            StorageError: too small or too large.
        """
        if length is None:
            return
        if self.most is not None and length > self.most:
            raise StorageError(
                400,
                "EntityTooLarge",
                "invalid",
                "Your proposed upload is larger than the maximum object size specified in your Policy Document.",
                details=f"Content-length exceeds upper bound on range: {length} > {self.most}",
            )
        if self.least is not None and length < self.least:
            raise StorageError(
                400,
                "EntityTooSmall",
                "invalid",
                "Your proposed upload is smaller than the minimum object size specified in your Policy Document.",
                details=f"Content-length smaller than lower bound on range: {length} < {self.least}",
            )
