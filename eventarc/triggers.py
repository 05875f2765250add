"""Reads ``triggers.yaml``, the one definition of every trigger."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FINALIZED = "google.cloud.storage.object.v1.finalized"
DELETED = "google.cloud.storage.object.v1.deleted"
PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"

TRIGGERS_FILE = Path(__file__).with_name("triggers.yaml")


class _Trigger(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    #: Rules of Eventarc for the id of a trigger; it becomes part of the names of its topic and subscription.
    name: str = Field(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$")
    description: str
    #: Path of the destination's URL that the event is posted to.
    path: str = Field(pattern=r"^/")


class BucketFilter(BaseModel):
    """Cloud Storage events are always of one bucket."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bucket: str = Field(min_length=3)


class StorageTrigger(_Trigger):
    """Events of objects in one bucket."""

    event_type: Literal["google.cloud.storage.object.v1.finalized", "google.cloud.storage.object.v1.deleted"]
    filters: BucketFilter

    @property
    def notification_event(self) -> str:
        """The same event in the words of Cloud Storage's Pub/Sub notifications."""
        return "OBJECT_FINALIZE" if self.event_type == FINALIZED else "OBJECT_DELETE"


class TopicTrigger(_Trigger):
    """Messages of one Pub/Sub topic."""

    event_type: Literal["google.cloud.pubsub.topic.v1.messagePublished"]
    topic: str = Field(min_length=3)


Trigger = StorageTrigger | TopicTrigger

_TRIGGERS = TypeAdapter(tuple[Annotated[Trigger, Field(discriminator="event_type")], ...])


def read_triggers(names: Mapping[str, str], file: Path = TRIGGERS_FILE) -> tuple[Trigger, ...]:
    """Read all triggers, with every ``${name}`` in the file replaced from ``names``.

    Raises:
        KeyError: the file has a placeholder that ``names`` does not know.
        pydantic.ValidationError: the file is not as the types above say.
        ValueError: two triggers have one name.
    """
    # Filled after parsing, so that a name can never change the structure of the document.
    document = _filled(yaml.safe_load(file.read_text(encoding="utf-8")), names)
    triggers = _TRIGGERS.validate_python(document)
    doubled = sorted({t.name for t in triggers if sum(o.name == t.name for o in triggers) > 1})
    if doubled:
        raise ValueError(f"{file.name} has more than one trigger named {', '.join(doubled)}")
    return triggers


def _filled(node: object, names: Mapping[str, str]) -> object:
    if isinstance(node, str):
        return Template(node).substitute(names)
    if isinstance(node, list):
        return [_filled(item, names) for item in node]
    if isinstance(node, dict):
        return {key: _filled(value, names) for key, value in node.items()}
    return node
