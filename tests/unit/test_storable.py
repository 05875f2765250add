"""What Postgres can hold, told beforehand."""

import json
from typing import Any

import pytest

from shared.storable import fault_of, plain


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"a": [1, 2.5, None, True, "ü", {"b": ""}]}, None),
        ({"a": "x\x00y"}, "a character"),
        ({"a\x00": 1}, "a character"),
        ([{"a": ["\ud800"]}], "a character"),
        (json.loads('{"a": 1e999}'), "too large"),
        ({"a": [float("nan")]}, "too large"),
        (json.loads("[" * 500 + "]" * 500), "nested"),
    ],
    ids=["all kinds", "NUL", "NUL in a key", "half a pair", "infinite", "no number", "deep"],
)
def test_a_value_that_cannot_be_stored_is_told(value: Any, fault: str | None) -> None:
    """JSON may say more than jsonb can hold."""
    said = fault_of(value)
    assert (said is None) == (fault is None)
    assert (fault or "") in (said or "")


def test_text_loses_only_what_cannot_be_stored() -> None:
    """NUL goes, half a surrogate pair becomes a question mark, everything else stays."""
    assert plain("a\x00b\ud800 ü€😀\n") == "ab? ü€😀\n"
