"""``matchGlob``: https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob."""

import re
from functools import lru_cache

from local.gcs.errors import invalid

#: One token of a glob: an escape, ``**/`` at the start of a segment, a wildcard, a character class, an alternative.
_TOKEN = re.compile(
    r"""(?P<escaped>\\.) | (?P<directories>(?:(?<=/)|\A)\*\*/) | (?P<anything>\*\*) | (?P<segment>\*)
    | (?P<character>\?) | \[(?P<not>[!^])?(?P<members>\]?[^\]]*)\]
    | (?P<open>\{) | (?P<comma>,) | (?P<close>\}) | (?P<literal>.)""",
    re.VERBOSE | re.DOTALL,
)
_FIXED = {
    "directories": "(?:.*/)?",  # also no directory at all
    "anything": ".*",
    "segment": "[^/]*",
    "character": "[^/]",
    "open": "(?:",
}


@lru_cache(maxsize=64)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """Make a pattern of a glob: ``*`` and ``?`` stop at slashes, ``**`` does not, ``[a-z]``, ``{one,other}``.

    Raises:
        StorageError: brackets or braces that do not close.
    """
    braces = 0
    out = []
    for token in _TOKEN.finditer(glob):
        kind, text = token.lastgroup or "", token[0]
        braces += kind == "open"
        if kind in _FIXED:
            out.append(_FIXED[kind])
        elif kind == "members":
            members = token["members"].replace("\\", r"\\").replace("[", r"\[").replace("]", r"\]")
            out.append(f"[{'^' if token['not'] else ''}{members}]")
        elif kind in {"close", "comma"} and braces:
            out.append(")" if kind == "close" else "|")
            braces -= kind == "close"
        elif text == "[":
            raise invalid(f"Invalid matchGlob: {glob}")
        else:
            out.append(re.escape(text[1:] if kind == "escaped" else text))
    if braces:
        raise invalid(f"Invalid matchGlob: {glob}")
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error as error:
        raise invalid(f"Invalid matchGlob: {glob}") from error
