"""A job's settings against its pipeline's JSON Schema."""

from collections.abc import Mapping
from typing import Any


def complaint(settings: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """Say what is wrong with the settings, None if nothing is."""
    if not settings and not schema.get("required"):
        return None
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 100 ms that jobs without settings do not pay

    error = next(iter(Draft202012Validator(schema).iter_errors(dict(settings))), None)
    if error is None:
        return None
    where = ".".join(map(str, error.absolute_path))
    return f"{where}: {error.message}" if where else error.message
