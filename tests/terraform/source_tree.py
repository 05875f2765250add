"""Our modules, parsed."""

import ast
from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tests.terraform.terraform import REPOSITORY

#: Packages whose source is read.
OURS = ("eventarc", "services", "shared", "spotmill", "worker")

Node = ast.AST
Definition = ast.FunctionDef | ast.AsyncFunctionDef
Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.Module


class Source:
    """One module of ours, parsed."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        self.parents = {child: parent for parent in ast.walk(self.tree) for child in ast.iter_child_nodes(parent)}

    @cached_property
    def functions(self) -> dict[str, Definition]:
        """Functions of the module and methods of its classes, by qualified name; nested ones belong to theirs."""
        return dict(_definitions(self.tree, "", Definition))

    @cached_property
    def classes(self) -> dict[str, ast.ClassDef]:
        return dict(_definitions(self.tree, "", ast.ClassDef))

    def scopes(self, node: Node) -> Iterator[Scope]:
        """Give the scopes around a node, the innermost first; a class is none to its methods."""
        while (node := self.parents.get(node, self.tree)) is not self.tree:
            if isinstance(node, Definition | ast.Lambda):
                yield node
        yield self.tree

    def around(self, node: Node) -> str | None:
        """Name the class whose method this is, or stands in."""
        while (above := self.parents.get(node)) is not None:
            if isinstance(above, ast.ClassDef):
                return next(name for name, found in self.classes.items() if found is above)
            node = above
        return None


def _definitions(node: Node, prefix: str, wanted: Any) -> Iterator[tuple[str, Any]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition | ast.ClassDef):
            if isinstance(child, wanted):
                yield prefix + child.name, child
            if isinstance(child, ast.ClassDef):
                yield from _definitions(child, f"{prefix}{child.name}.", wanted)
        elif not isinstance(child, ast.expr):
            yield from _definitions(child, prefix, wanted)


def is_ours(name: str) -> bool:
    """Tell whether a module or package is one of ours, there or not."""
    return name.partition(".")[0] in OURS


@cache
def source(name: str) -> Source | None:
    """Return a module of ours by name; None if it is none."""
    if not is_ours(name):
        return None
    stem = REPOSITORY / Path(*name.split("."))
    for path in (stem.with_suffix(".py"), stem / "__init__.py"):
        if path.is_file():
            return Source(name, path)
    return None


def inside(scope: Node) -> Iterator[Node]:
    """Give the nodes of a scope, without those of functions and classes in it, but with their names."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, Definition | ast.Lambda | ast.ClassDef):
            yield from inside(child)
