"""``matchGlob``: https://cloud.google.com/storage/docs/json_api/v1/objects/list#list-objects-and-prefixes-using-glob."""

import re
from functools import lru_cache

from local.gcs.errors import invalid

_SPECIAL = {"*": "[^/]*", "?": "[^/]"}


@lru_cache(maxsize=64)
def glob_pattern(glob: str) -> re.Pattern[str]:
    """Make a pattern of a glob: ``*`` and ``?`` stop at slashes, ``**`` does not, ``[a-z]``, ``{one,other}``.

    Raises:
        StorageError: brackets or braces that do not close.
    """
    out: list[str] = []
    braces = 0
    position = 0
    while position < len(glob):
        character = glob[position]
        position += 1
        if character == "*" and glob.startswith("*", position):
            position += 1
            if glob.startswith("/", position) and (position == 2 or glob[position - 3] == "/"):
                position += 1
                out.append("(?:.*/)?")  # ``**/`` also matches no directory at all
            else:
                out.append(".*")
        elif character in _SPECIAL:
            out.append(_SPECIAL[character])
        elif character == "[":
            end = glob.find("]", position + 1)
            if end < 0:
                raise invalid(f"Invalid matchGlob: {glob}")
            inner = glob[position:end].replace("\\", r"\\").replace("[", r"\[")
            out.append("[" + ("^" + inner[1:] if inner[0] in "!^" else inner) + "]")
            position = end + 1
        elif character == "{":
            braces += 1
            out.append("(?:")
        elif character == "}" and braces:
            braces -= 1
            out.append(")")
        elif character == "," and braces:
            out.append("|")
        elif character == "\\" and position < len(glob):
            out.append(re.escape(glob[position]))
            position += 1
        else:
            out.append(re.escape(character))
    if braces:
        raise invalid(f"Invalid matchGlob: {glob}")
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error as error:
        raise invalid(f"Invalid matchGlob: {glob}") from error
