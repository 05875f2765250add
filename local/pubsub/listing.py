"""Pages of a list of names: the token of a page is the last name of the page before."""

from bisect import bisect_right
from collections.abc import Iterable

_DEFAULT_PAGE = 100
_MAX_PAGE = 1000


def page(names: Iterable[str], request_size: int, token: str) -> tuple[list[str], str]:
    """Return the names of one page, sorted, and the token of the next page (empty at the end)."""
    ordered = sorted(names)
    size = min(request_size or _DEFAULT_PAGE, _MAX_PAGE)
    start = bisect_right(ordered, token) if token else 0
    chosen = ordered[start : start + size]
    return chosen, chosen[-1] if chosen and start + size < len(ordered) else ""
