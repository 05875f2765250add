"""Pages and filters of list calls."""

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from local.compute.errors import invalid

LONGEST_PAGE = 500

_CLAUSE = re.compile(
    r"""\(?\s*(?P<field>[\w.]+)\s*(?P<operator>!=|=|\beq\b|\bne\b)\s*(?P<value>"[^"]*"|[^\s()]+)\s*\)?"""
)


def page(items: Sequence[dict[str, Any]], query: Mapping[str, str]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The items that pass ``filter``, of which ``maxResults`` from ``pageToken`` on; and ``nextPageToken`` if any.

    Raises:
        ApiError: one of these parameters cannot be understood.
    """
    clauses = _clauses(query.get("filter", ""))
    passing = [item for item in items if all(_passes(item, *clause) for clause in clauses)]
    try:
        start = int(base64.urlsafe_b64decode(query["pageToken"])) if "pageToken" in query else 0
        size = int(query.get("maxResults", LONGEST_PAGE))
    except ValueError:
        raise invalid("pageToken", query.get("pageToken", ""), "Not a page token of this list.") from None
    if not 0 <= size <= LONGEST_PAGE:
        raise invalid("maxResults", size, f"Must be between 0 and {LONGEST_PAGE}.")
    end = start + (size or LONGEST_PAGE)
    more = {"nextPageToken": base64.urlsafe_b64encode(str(end).encode()).decode()} if end < len(passing) else {}
    return passing[start:end], more


def _clauses(text: str) -> list[tuple[str, str, str]]:
    clauses = []
    for part in re.split(r"\s+AND\s+|(?<=\))\s*(?=\()", text.strip()) if text.strip() else []:
        match = _CLAUSE.fullmatch(part.strip())
        if match is None:
            raise invalid("filter", text, "Only field = value and field != value, joined by AND, are understood here.")
        clauses.append((match["field"], match["operator"], match["value"].strip('"')))
    return clauses


def _passes(item: Mapping[str, Any], field: str, operator: str, value: str) -> bool:
    node: Any = item
    for part in field.split("."):
        node = node.get(part, "") if isinstance(node, Mapping) else ""
    text = str(node).lower() if isinstance(node, bool) else str(node)
    same = re.fullmatch(value, text) is not None if operator in ("eq", "ne") else text == value
    return same == (operator in ("=", "eq"))
