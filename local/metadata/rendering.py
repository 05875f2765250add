"""A part of the metadata tree as text or JSON, the way Google writes it."""

import json
from collections.abc import Iterator, Mapping

from local.metadata.facts import Leaf, Tree

#: Below these keys the names are the user's own and stay as they are; all others become camelCase in JSON.
VERBATIM = ("attributes", "service-accounts")


def find(tree: Tree, path: str) -> Leaf | Tree | None:
    """What lies at ``instance/zone`` or ``instance/attributes/``; ``None`` if nothing does."""
    node: Leaf | Tree = tree
    for part in filter(None, path.split("/")):
        if not isinstance(node, Mapping) or part not in node:
            return None
        node = node[part]
    return node


def listing(tree: Tree) -> str:
    """The names in a directory, one to a line; directories end in a slash."""
    return "".join(f"{key}{'/' if isinstance(value, Mapping) else ''}\n" for key, value in tree.items())


def text(node: Leaf | Tree) -> str:
    """A value as text; of a directory every value below it, as ``path value`` lines."""
    if isinstance(node, Mapping):
        return "".join(f"{path} {text(leaf)}\n" for path, leaf in _leaves(node))
    if isinstance(node, list):
        return "".join(f"{item}\n" for item in node)
    return str(node)


def as_json(node: Leaf | Tree, name: str = "") -> str:
    """A value, or a directory with all that is below it, as JSON. ``name``: its own last path segment."""
    return json.dumps(_camel_cased(node, verbatim=name in VERBATIM), separators=(",", ":"))


def _leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _camel_cased(node: Leaf | Tree, *, verbatim: bool) -> object:
    if not isinstance(node, Mapping):
        return node
    return {
        key if verbatim else _camel(key): _camel_cased(value, verbatim=key in VERBATIM) for key, value in node.items()
    }


def _camel(key: str) -> str:
    first, *rest = key.split("-")
    return first + "".join(word.capitalize() for word in rest)
