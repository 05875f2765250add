"""A job's settings against its pipeline's JSON Schema: what is wrong with them, for the person who gave them."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

#: Most faults that are told at once, and most characters of what was given that are repeated.
_MOST_FAULTS = 3
_MOST_CHARACTERS = 60
#: What is said of values that one keyword of a schema refuses; those of the other keywords jsonschema describes.
_OF_VALUES = {
    *("anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "maxItems", "maxLength", "maximum", "minItems"),
    *("minLength", "minimum", "multipleOf", "oneOf", "pattern", "type", "uniqueItems"),
}
_LIMITS = {
    "minimum": "of at least",
    "exclusiveMinimum": "above",
    "maximum": "of at most",
    "exclusiveMaximum": "below",
    "multipleOf": "divisible by",
}


def complaint(settings: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """Say in sentences which settings are wrong, what they may be and what was given; None if nothing is wrong."""
    if not settings and not schema.get("required"):
        return None
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - 100 ms that jobs without settings do not pay
    from jsonschema.exceptions import relevance  # noqa: PLC0415

    errors = sorted(Draft202012Validator(schema).iter_errors(dict(settings)), key=relevance, reverse=True)
    found = dict.fromkeys(_sentences(_heart(error)) for error in errors)  # type and enum may refuse the same value
    return " ".join(list(found)[:_MOST_FAULTS]) or None


def _heart(error: "ValidationError") -> "ValidationError":
    """Follow alternatives into the one that was meant: whose fault lies within the value, not in its being another."""
    from jsonschema.exceptions import relevance  # noqa: PLC0415

    inside = [e for e in error.context or () if e.relative_path or e.validator not in _OF_VALUES]
    return _heart(max(inside, key=relevance)) if inside else error


def _sentences(error: "ValidationError") -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    schema = error.schema if isinstance(error.schema, Mapping) else {}
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        return _unknown(where, error.instance, schema)
    allowed = _alternatives(schema)
    if where and allowed and error.validator in _OF_VALUES and (error.context or error.validator != "oneOf"):
        is_not = "is none of:" if len(allowed) > 1 else "is not"
        said = f"{where}: {_given(error.instance)} {is_not} {', '.join(allowed)}."
    else:
        said = f"{where}: {error.message}." if where else f"{error.message}."
    return f"{said} {description}" if (description := schema.get("description")) and where else said


def _unknown(where: str, given: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    known, patterns = list(schema.get("properties", {})), list(schema.get("patternProperties", {}))
    unknown = [name for name in given if name not in known and not any(re.search(p, name) for p in patterns)]
    within = f"{where}." if where else ""
    there_are = f"There are: {', '.join(known + patterns)}." if known or patterns else "There are none."
    return f"{', '.join(within + name for name in unknown)}: no such setting. {there_are}"


def _given(value: object) -> str:
    """Write a value as people gave it, shortened."""
    words = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return words if len(words) <= _MOST_CHARACTERS else words[: _MOST_CHARACTERS - 1] + "…"


def _alternatives(schema: object) -> list[str]:
    """Say what a schema allows; nothing if it cannot be said in few words."""
    if not isinstance(schema, Mapping):
        return []
    if "const" in schema or "enum" in schema:
        return [_plain(value) for value in schema.get("enum", [schema.get("const")])]
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        found = [_alternatives(branch) for branch in branches]
        return [words for branch in found for words in branch] if all(found) else []
    types = schema.get("type", [])
    return [words for kind in ([types] if isinstance(types, str) else types) for words in _of_type(kind, schema)]


def _of_type(kind: str, schema: Mapping[str, Any]) -> list[str]:
    match kind:
        case "boolean":
            return ["true", "false"]
        case "integer" | "number":
            return [_number("a whole number" if kind == "integer" else "a number", schema)]
        case "string":
            form = f" of the form {schema['pattern']}" if "pattern" in schema else ""
            return [f"text{_count(schema, 'Length', 'characters')}{form}"]
        case "array":
            return [_list(schema)]
    return [{"null": "null", "object": "an object"}.get(kind, kind)]


def _number(noun: str, schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f"{noun} from {schema['minimum']} to {schema['maximum']}"
    limits = " and ".join(f"{words} {schema[limit]}" for limit, words in _LIMITS.items() if limit in schema)
    return f"{noun} {limits}" if limits else noun


def _count(schema: Mapping[str, Any], what: str, nouns: str) -> str:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    if most is None:
        return f" of {least} or more {nouns}" if least else ""
    return f" of {least} to {most} {nouns}" if least else f" of at most {most} {nouns}"


def _list(schema: Mapping[str, Any]) -> str:
    items = _alternatives(schema.get("items"))
    notes: Iterable[str] = (
        _count(schema, "Items", "items").strip(),
        "no two alike" if schema.get("uniqueItems") else "",
        f"each {'one of' if len(items) > 1 else 'is'} {', '.join(items)}" if items else "",
        f"such as {json.dumps(schema['default'], ensure_ascii=False)}" if schema.get("default") else "",
    )
    said = "; ".join(note for note in notes if note)
    return f"a list ({said})" if said else "a list"


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
