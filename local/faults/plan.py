"""What a server is told to do wrong: a seed and rules."""

import re
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator


class PlanError(ValueError):
    """A plan cannot be followed; the text says why, for the person who wrote it."""


class Rule(BaseModel):
    """One kind of fault, and which calls it strikes. Fields that a kind does not use are ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: str
    #: A regular expression that is searched in the call (``POST /upload/storage/v1/b/B/o?uploadType=…``).
    match: str = ""
    probability: float = Field(1.0, ge=0, le=1)
    #: Matching calls that pass before the rule begins.
    skip: int = Field(0, ge=0)
    #: Faults after which the rule is spent; None never is.
    count: int | None = Field(None, ge=0)
    #: Seconds after which the rule ends, from when the plan was given; None lasts.
    seconds: float | None = Field(None, ge=0)
    #: HTTP status of an ``error``.
    status: int = Field(503, ge=400, le=599)
    #: Name of the error where the API has names: ``RESOURCE_EXHAUSTED``, ``QUOTA_EXCEEDED``; None takes the usual one.
    code: str | None = None
    message: str | None = None
    retry_after_seconds: int | None = Field(None, ge=0)
    delay_seconds: float = Field(1.0, ge=0)
    #: Bytes that still pass before a connection is cut.
    after_bytes: int = Field(0, ge=0)

    @field_validator("match")
    @classmethod
    def _is_pattern(cls, match: str) -> str:
        try:
            re.compile(match)
        except re.error as error:
            raise ValueError(f"{match!r} is no regular expression: {error}") from None
        return match


class Plan(BaseModel):
    """Rules that hold until the next plan; the same seed and the same calls give the same faults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 0
    rules: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, text: str | bytes, kinds: Mapping[str, str]) -> Self:
        """Read a plan for a server that knows these kinds of faults.

        Raises:
            PlanError: it is none, or asks for another kind.
        """
        try:
            plan = cls.model_validate_json(text)
        except ValidationError as error:
            said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise PlanError(said) from None
        for rule in plan.rules:
            if rule.fault not in kinds:
                raise PlanError(f"there is no fault {rule.fault!r} here, only {', '.join(sorted(kinds))}")
        return plan
