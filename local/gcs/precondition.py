"""Request preconditions on generation and metageneration.

https://cloud.google.com/storage/docs/request-preconditions
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Versioned(Protocol):
    """Whatever has a generation and a metageneration."""

    @property
    def generation(self) -> int:
        """Which write of the content."""

    @property
    def metageneration(self) -> int:
        """Which write of the metadata."""


class PreconditionError(Exception):
    """A condition does not hold. ``not_modified``: on a read this is a 304, not a 412."""

    def __init__(self, condition: str, *, not_modified: bool = False) -> None:
        super().__init__(condition)
        self.condition = condition
        self.not_modified = not_modified


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The four conditions a request may carry; None asks nothing."""

    generation_match: int | None = None
    generation_not_match: int | None = None
    metageneration_match: int | None = None
    metageneration_not_match: int | None = None

    @classmethod
    def from_query(cls, query: Mapping[str, str], prefix: str = "if") -> "Preconditions":
        """Read ``ifGenerationMatch`` and its sisters (``ifSource…`` with ``prefix="ifSource"``).

        Raises:
            ValueError: a condition is not a number.
        """
        # In any case: the Python client spells one of them ifMetaGenerationNotMatch on uploads.
        lower = {name.lower(): text for name, text in query.items()}
        return cls._read(lower, *(f"{prefix}{suffix}".lower() for suffix in _JSON_SUFFIXES))

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], prefix: str = "x-goog-if-") -> "Preconditions":
        """Read ``x-goog-if-generation-match`` and its sisters.

        Raises:
            ValueError: a condition is not a number.
        """
        return cls._read(headers, *(f"{prefix}{suffix}" for suffix in _XML_SUFFIXES))

    @classmethod
    def _read(cls, source: Mapping[str, str], *names: str) -> "Preconditions":
        return cls(*(_number(name, source.get(name)) for name in names))

    def __bool__(self) -> bool:
        return self != Preconditions()

    def check(self, current: Versioned | None, *, reading: bool = False) -> None:
        """Hold the conditions against the live object, None when there is none.

        A generation of 0 stands for "no live object", as in the real service.

        Raises:
            PreconditionError: one of them does not hold.
        """
        generation = current.generation if current else 0
        if self.generation_match is not None and generation != self.generation_match:
            raise PreconditionError(f"ifGenerationMatch={self.generation_match}, the generation is {generation}")
        if self.generation_not_match is not None and generation == self.generation_not_match:
            raise PreconditionError(f"ifGenerationNotMatch={self.generation_not_match}", not_modified=reading)
        metageneration = current.metageneration if current else None
        if self.metageneration_match is not None and metageneration != self.metageneration_match:
            raise PreconditionError(
                f"ifMetagenerationMatch={self.metageneration_match}, the metageneration is {metageneration}"
            )
        if self.metageneration_not_match is not None and metageneration in (self.metageneration_not_match, None):
            raise PreconditionError(f"ifMetagenerationNotMatch={self.metageneration_not_match}", not_modified=reading)


_JSON_SUFFIXES = ("GenerationMatch", "GenerationNotMatch", "MetagenerationMatch", "MetagenerationNotMatch")
_XML_SUFFIXES = ("generation-match", "generation-not-match", "metageneration-match", "metageneration-not-match")


def _number(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.removeprefix("-").isdigit():
        raise ValueError(f"Invalid argument: {name}={text} is not a number")
    return int(text)
