"""What travels through Pub/Sub: job messages, ingest messages, storage notifications, ticks."""

import json
import uuid
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.objects import LARGEST_GENERATION, OWNER_METADATA, PIPELINE_METADATA, SETTINGS_METADATA, parse_uri


class MalformedError(Exception):
    """A message or event that no retry would mend; the text says what is wrong with it."""


class _Message(BaseModel):
    @classmethod
    def parse(cls, data: bytes | str | dict[str, Any]) -> Self:
        """Read a message.

        Raises:
            MalformedError: it is not of this form.
        """
        try:
            return cls.model_validate(data) if isinstance(data, dict) else cls.model_validate_json(data)
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'message'}: {e['msg']}" for e in error.errors())
            raise MalformedError(reasons) from None


class JobMessage(_Message):
    """Says 'look at job X now' and nothing else: the database is the truth."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    job_id: uuid.UUID

    def encode(self) -> bytes:
        """Return the message's bytes."""
        return json.dumps({"job_id": str(self.job_id)}).encode()


class IngestMessage(_Message):
    """Another system's wish to have an object, or a batch of them, processed.

    The URIs of a batch are not checked here: one that is wrong is no reason to refuse the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str | None = None
    uris: tuple[str, ...] = Field((), max_length=1000)
    generation: int | None = Field(None, ge=1, le=LARGEST_GENERATION)
    pipeline: str | None = Field(None, min_length=1, max_length=100)
    owner: str | None = Field(None, pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("uri")
    @classmethod
    def _is_uri(cls, uri: str | None) -> str | None:
        if uri is not None:
            parse_uri(uri)
        return uri

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if (self.uri is None) == (not self.uris):
            raise ValueError("give either uri or uris")
        if self.uris and self.generation is not None:
            raise ValueError("generation goes with uri; in uris write gs://bucket/name#generation")
        return self

    @property
    def named(self) -> tuple[str, ...]:
        """All URIs of the message, as they were written."""
        return self.uris if self.uri is None else (self.uri,)


class StorageObject(_Message):
    """The object resource that Cloud Storage puts into events and ``JSON_API_V1`` notifications.

    Source: https://cloud.google.com/storage/docs/json_api/v1/objects#resource
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    bucket: str = Field(min_length=3)
    name: str = Field(min_length=1)
    generation: int = Field(ge=1, le=LARGEST_GENERATION)
    size_bytes: int = Field(alias="size", ge=0)
    content_type: str = Field("application/octet-stream", alias="contentType")
    crc32c: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)

    @property
    def owner(self) -> str | None:
        """Who uploaded it, from the signed metadata."""
        return self.metadata.get(OWNER_METADATA) or None

    @property
    def pipeline(self) -> str | None:
        """The pipeline chosen at upload, from the signed metadata."""
        return self.metadata.get(PIPELINE_METADATA) or None

    @property
    def settings(self) -> dict[str, Any]:
        """Pipeline settings chosen at upload, from the signed metadata.

        Raises:
            MalformedError: they are not a JSON object.
        """
        raw = self.metadata.get(SETTINGS_METADATA)
        if not raw:
            return {}
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise MalformedError(f"metadata {SETTINGS_METADATA!r} of gs://{self.bucket}/{self.name} is no JSON object")
        return value


class Tick(_Message):
    """What the scheduler publishes each minute."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    scheduled_at: datetime | None = None
    task: str = "tick"
