"""What something in our source may be, as far as its text tells.

What cannot be told is the empty set of values, and what is surely nothing of Google's is ``OTHER``.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Unit:
    """A module of ours or Google's."""

    name: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of ours: where it stands, and its name there."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Made:
    """Something that a class of ours has made, or a container of such."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method of ours; ``name`` has the classes around it."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Google:
    """A class or function of Google's, by the name under which it was defined."""

    name: str


@dataclass(frozen=True, slots=True)
class GoogleMade:
    """Something that a class of Google's has made."""

    name: str


@dataclass(frozen=True, slots=True)
class Member:
    """An attribute of something of Google's, named with the class that we know it by."""

    owner: str
    name: str

    @property
    def path(self) -> str:
        return f"{self.owner}.{self.name}"


@dataclass(frozen=True, slots=True)
class Several:
    """A tuple, so that unpacking tells its parts apart."""

    parts: tuple["Values", ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Nothing of ours and nothing of Google's."""


OTHER = Other()
Value = Unit | Kind | Made | Function | Google | GoogleMade | Member | Several | Other
Values = frozenset[Value]
NOTHING: Values = frozenset()
OTHERS: Values = frozenset({OTHER})


@dataclass(frozen=True, slots=True)
class Bound:
    """What a name is bound to in a scope: an expression, a part of one, or an import."""

    node: ast.expr | None = None
    part: int | None = None
    annotation: ast.expr | None = None
    value: Values = NOTHING


def canonical(thing: Any) -> str:
    """Return the full name under which a class or function was defined."""
    return f"{thing.__module__}.{thing.__qualname__}"


def named(path: str) -> str:
    """Return the full name of what can be imported under a shorter one."""
    module, _, name = path.rpartition(".")
    return canonical(getattr(importlib.import_module(module), name))


@cache
def google_class(name: str) -> Any:
    module, _, rest = name.rpartition(".")
    while module:
        try:
            thing: Any = importlib.import_module(module)
        except ImportError:
            module, _, more = module.rpartition(".")
            rest = f"{more}.{rest}"
            continue
        for part in rest.split("."):
            thing = getattr(thing, part, None)
        return thing if inspect.isclass(thing) else None
    return None


def flat(values: Values) -> Values:
    """Take tuples apart; what is nothing of anybody's counts only if there is nothing else."""
    parts: set[Value] = set()
    for value in values:
        parts |= frozenset().union(*map(flat, value.parts)) if isinstance(value, Several) else {value}
    return frozenset(parts - {OTHER}) or frozenset(parts)


def targets(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, Bound]]:
    match target:
        case ast.Name(id=name):
            yield name, Bound(value)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for number, part in enumerate(parts):
                if isinstance(part, ast.Name):
                    yield part.id, Bound(value, number)
                elif isinstance(part, ast.Starred) and isinstance(part.value, ast.Name):
                    yield part.value.id, Bound(value)
                elif isinstance(part, ast.Tuple):
                    yield from targets(part, value)
        case _:
            return


def fields(body: ast.ClassDef, name: str) -> Iterator[Bound]:
    """Give what an attribute of a class is bound to: in its body, or through self in its methods."""
    for statement in body.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=found), annotation=annotation, value=value) if found == name:
                yield Bound(value, annotation=annotation)
            case ast.Assign(targets=[ast.Name(id=found)], value=value) if found == name:
                yield Bound(value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for node in ast.walk(statement):
                    yield from _through_self(node, name)
            case _:
                continue


def _through_self(node: ast.AST, name: str) -> Iterator[Bound]:
    match node:
        case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=found), annotation=said, value=value):
            if found == name:
                yield Bound(value, annotation=said)
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                parts = target.elts if isinstance(target, ast.Tuple) else [target]
                for number, part in enumerate(parts):
                    if (
                        isinstance(part, ast.Attribute)
                        and part.attr == name
                        and getattr(part.value, "id", "") == "self"
                    ):
                        yield Bound(value, number if isinstance(target, ast.Tuple) else None)
        case _:
            return
