"""What is said to a person whose settings do not fit a pipeline's schema."""

from typing import Any

import pytest

from shared.complaints import complaint

INTEGER = {"type": "integer"}
COUNT = {"anyOf": [{"enum": ["auto", "off"]}, {"type": "integer", "minimum": 1, "maximum": 20}]}
BOX = {"type": "object", "properties": {"side": INTEGER}, "required": ["side"], "additionalProperties": False}
SIZES = {
    "type": "array",
    "items": {"enum": [720, 480]},
    "minItems": 1,
    "uniqueItems": True,
    "default": [720],
}


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        (1, INTEGER, None),
        ("many", COUNT, "x: 'many' is none of: auto, off, a whole number from 1 to 20."),
        (21, COUNT, "x: 21 is none of: auto, off, a whole number from 1 to 20."),
        ("yes", {"type": "boolean", "description": "Do it."}, "x: 'yes' is none of: true, false. Do it."),
        ("no", {"const": 3}, "x: 'no' is not 3."),
        ("English", {"type": "string", "pattern": "^[a-z]{2}$"}, "x: 'English' is not text of the form ^[a-z]{2}$."),
        ("", {"type": "string", "minLength": 1, "maxLength": 9}, "x: '' is not text of 1 to 9 characters."),
        ("", {"type": "string", "minLength": 2}, "x: '' is not text of 2 or more characters."),
        (99 * "a", {"type": "string", "maxLength": 9}, f"x: '{58 * 'a'}… is not text of at most 9 characters."),
        (0, {"type": "number", "exclusiveMinimum": 0, "maximum": 9}, "x: 0 is not a number above 0 and of at most 9."),
        (None, {"type": ["integer", "string"]}, "x: null is none of: a whole number, text."),
        (
            480,
            SIZES,
            "x: 480 is not a list (of 1 or more items; no two alike; each one of 720, 480; such as [720]).",
        ),
        ([480, 240], SIZES, "x[1]: 240 is none of: 720, 480."),
        ([], {"type": "array", "minItems": 1, "items": INTEGER}, "x: [] is not a list (of 1 or more items; each is a"),
        (3, {"type": "array"}, "x: 3 is not a list."),
        ({"side": "a"}, {"anyOf": [BOX, {"type": "null"}]}, "x.side: 'a' is not a whole number."),
        ({"edge": 1, "side": 1}, {"anyOf": [BOX, {"type": "null"}]}, "x.edge: no such setting. There are: side."),
        (7, {"anyOf": [BOX, {"type": "null"}]}, "x: 7 is none of: an object, null."),
        (7, {"oneOf": [INTEGER, {"type": "number"}]}, "x: 7 is valid under each of"),
        (7, {"minimum": 8}, "x: 7 is less than the minimum of 8."),
        (7, {"not": INTEGER}, "x: 7 should not be valid under"),
        (7, {"enum": [1], "type": "string"}, "x: 7 is not 1."),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(value: Any, schema: dict[str, Any], said: str | None) -> None:
    """Name, value, and what it may be; never the words of JSON Schema where plain ones are to be had."""
    found = complaint({"x": value}, {"type": "object", "properties": {"x": schema}})
    assert (found is None) if said is None else (found is not None and found.startswith(said)), found


def test_unknown_settings_are_named_beside_those_that_there_are() -> None:
    """Whoever mistypes a name reads the right one; names that a pattern allows are none of the unknown ones."""
    schema = {"properties": {"speed": INTEGER}, "patternProperties": {"^x-": {}}, "additionalProperties": False}
    assert complaint({"sped": 1, "x-a": 2}, schema) == "sped: no such setting. There are: speed, ^x-."
    assert complaint({"a": 1, "b": 1}, {"additionalProperties": False}) == "a, b: no such setting. There are none."


def test_several_faults_are_told_at_once() -> None:
    """Nobody has to send a file three times to learn of three mistakes; the tenth can wait."""
    schema = {"properties": dict.fromkeys("abcdefghij", INTEGER)}
    said = complaint(dict.fromkeys("abcdefghij", "?"), schema)
    assert said is not None
    assert said.count("is not a whole number.") == 3


def test_nothing_is_wrong_with_no_settings_unless_some_are_needed() -> None:
    """A job without settings is the usual one."""
    assert complaint({}, {"type": "object", "additionalProperties": False}) is None
    assert complaint({}, {"type": "object", "required": ["x"]}) == "'x' is a required property."
