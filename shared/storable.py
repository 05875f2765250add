"""What Postgres can hold of that which others send: text without NUL and half surrogate pairs, JSON that is JSON."""

import math

#: Levels to which settings may be nested: far more than any has, far fewer than any parser takes.
_MOST_LEVELS = 100


def plain(words: str) -> str:
    """Leave out of a text what Postgres cannot hold: it would refuse it for ever."""
    return words.replace("\x00", "").encode(errors="replace").decode()


def fault_of(value: object) -> str | None:
    """Say why a JSON value cannot be stored as ``jsonb``; None if it can."""
    left = [(value, 1)]
    while left:
        part, level = left.pop()
        if level > _MOST_LEVELS:
            return f"they are nested more than {_MOST_LEVELS} levels deep"
        if isinstance(part, str) and part != plain(part):
            return "they contain a character that no text may have"
        if isinstance(part, float) and not math.isfinite(part):
            return "they contain a number that is too large"
        if isinstance(part, dict):
            left += ((inner, level + 1) for pair in part.items() for inner in pair)
        elif isinstance(part, list | tuple):
            left += ((inner, level + 1) for inner in part)
    return None
