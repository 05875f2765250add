"""Gives tests and tools the JSON Schemas of our messages and the sample events, by name."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """One HTTP request as Eventarc sends it: a CloudEvent in binary content mode."""

    headers: dict[str, str]
    body: dict[str, Any]


def schema_names() -> list[str]:
    return sorted(path.stem for path in (_HERE / "schemas").glob("*.json"))


def read_schema(name: str) -> dict[str, Any]:
    """Read the JSON Schema (2020-12) of one kind of message: the decoded ``data`` of a Pub/Sub message."""
    schema: dict[str, Any] = json.loads((_HERE / "schemas" / f"{name}.json").read_text(encoding="utf-8"))
    return schema


def sample_names() -> list[str]:
    return sorted(path.stem for path in (_HERE / "samples").glob("*.json"))


def read_sample(name: str) -> SampleEvent:
    """Read one sample event; the names in it are those of no real project."""
    return SampleEvent(**json.loads((_HERE / "samples" / f"{name}.json").read_text(encoding="utf-8")))
