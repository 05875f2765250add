"""The parts of a bucket's configuration that this server acts on, checked when they are set."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from local.gcs.errors import invalid


def check_cors(rules: Sequence[Any]) -> None:
    """Refuse CORS rules that could not be applied.

    Raises:
        StorageError: 400.
    """
    for rule in rules:
        names = ("origin", "method", "responseHeader")
        if not isinstance(rule, dict) or not all(_are_texts(rule.get(name, [])) for name in names):
            raise invalid("Invalid value for: cors")
        if not isinstance(rule.get("maxAgeSeconds", 0), int):
            raise invalid("Invalid value for: cors.maxAgeSeconds")


def check_lifecycle(lifecycle: Mapping[str, Any]) -> None:
    """Refuse lifecycle rules that could not be applied, or that would apply to everything for want of a condition.

    Raises:
        StorageError: 400.
    """
    rules = lifecycle.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise invalid("Invalid value for: lifecycle.rule")
    for rule in rules:
        action, condition = rule.get("action"), rule.get("condition")
        if not isinstance(action, dict) or action.get("type") not in ACTIONS:
            raise invalid("Invalid value for: lifecycle.rule.action")
        if not isinstance(condition, dict) or not condition:
            raise invalid("Invalid value for: lifecycle.rule.condition")
        for name, value in condition.items():
            if name not in _CONDITIONS or (value is not None and not _CONDITIONS[name](value)):
                raise invalid(f"Invalid value for: lifecycle.rule.condition.{name}")


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_count(value: object) -> bool:
    return str(value).isascii() and str(value).isdigit()


def _is_date(value: object) -> bool:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return False
    return True


ACTIONS = ("Delete", "SetStorageClass", "AbortIncompleteMultipartUpload")
_CONDITIONS: Mapping[str, Callable[[object], bool]] = {
    "age": _is_count,
    "createdBefore": _is_date,
    "customTimeBefore": _is_date,
    "daysSinceCustomTime": _is_count,
    "daysSinceNoncurrentTime": _is_count,
    "isLive": lambda value: isinstance(value, bool),
    "matchesPrefix": _are_texts,
    "matchesStorageClass": _are_texts,
    "matchesSuffix": _are_texts,
    "noncurrentTimeBefore": _is_date,
    "numNewerVersions": _is_count,
}
