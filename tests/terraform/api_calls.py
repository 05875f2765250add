"""Which calls of Google's clients each process may make, read from our source.

From where a process starts, this follows every name that is mentioned: whatever is mentioned may be called. A call
whose receiver cannot be told reaches every method of that name in the classes that were met.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.terraform.source_reading import Interpreter
from tests.terraform.source_tree import Definition, Source, source
from tests.terraform.source_values import Function, Google, Kind, Made, Member, Unit, Values
from tests.terraform.terraform import REPOSITORY

#: Decorators that register nothing: what they decorate is called only by whoever mentions it.
_QUIET = frozenset(
    {"cached_property", "cache", "classmethod", "contextmanager", "dataclass", "property", "setter", "staticmethod"}
    | {"field_validator", "model_validator", "field_serializer", "override", "abstractmethod", "lru_cache"}
)


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """A mention of a member of Google's in a function of ours.

    ``site`` is the function (``shared.queue.resend``), ``method`` the member with the name that the table gives its
    class.
    """

    site: str
    method: str


@dataclass(frozen=True, slots=True, order=True)
class Riddle:
    """A call of a method whose receiver cannot be told."""

    site: str
    name: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a process may do: calls, and calls on what cannot be told. ``modules`` are those that it may load."""

    calls: frozenset[Call]
    riddles: frozenset[Riddle]
    modules: frozenset[str]


class Reach:
    """Everything that may run in one process."""

    def __init__(self, clients: Mapping[str, str], gives: Mapping[str, str]) -> None:
        self._interpreter = Interpreter(clients, gives)
        self._clients = clients
        self._todo: list[tuple[Source, ast.AST, str]] = []
        self._functions: set[Function] = set()
        self._classes: set[Kind] = set()
        self._modules: set[str] = set()
        self._wanted: set[str] = set()
        self._calls: set[Call] = set()
        self._riddles: set[Riddle] = set()

    def start(self, entries: Iterable[str]) -> Found:
        """Follow ``module:function``, modules, and files that are no modules."""
        for entry in entries:
            if entry.endswith(".py"):
                settings = Source(entry, REPOSITORY / entry)
                self._todo.append((settings, settings.tree, entry))
                continue
            module, _, function = entry.partition(":")
            self._load(module)
            if function:
                self._meet(frozenset({Function(module, function)}))
        while self._todo:
            self._look(*self._todo.pop())
        return Found(frozenset(self._calls), frozenset(self._riddles), frozenset(self._modules))

    def _load(self, module: str) -> None:
        parts = module.split(".")
        for count in range(1, len(parts) + 1):
            name = ".".join(parts[:count])
            found = source(name)
            if found is not None and name not in self._modules:
                self._modules.add(name)
                self._todo.append((found, found.tree, name))

    def _look(self, where: Source, top: ast.AST, site: str) -> None:
        """Go through a function or the top of a module; functions in a function count as its own."""
        for node in _nodes(top):
            match node:
                case ast.Import(names=names):
                    for alias in names:
                        self._load(alias.name)
                case ast.ImportFrom(module=module, level=0) if module:
                    for alias in node.names:
                        self._load(f"{module}.{alias.name}" if source(f"{module}.{alias.name}") else module)
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._decorated(where, node)
                case ast.Name(ctx=ast.Load()) | ast.Attribute(ctx=ast.Load()):
                    self._mention(where, node, site)
                case ast.Call(func=ast.Attribute(value=receiver, attr=name)):
                    if not self._interpreter.evaluate(where, receiver):
                        self._riddles.add(Riddle(site, name))
                case _:
                    continue

    def _decorated(self, where: Source, node: Definition) -> None:
        """Take a function for called if its decorator may hand it to somebody."""
        names = {_last_name(decorator) for decorator in node.decorator_list}
        if names - _QUIET:
            for name, found in where.functions.items():
                if found is node:
                    self._meet(frozenset({Function(where.name, name)}))

    def _mention(self, where: Source, node: ast.Name | ast.Attribute, site: str) -> None:
        values = self._interpreter.evaluate(where, node)
        self._meet(values)
        for value in values:
            if isinstance(value, Member):
                self._calls.add(Call(site, value.path))
            elif isinstance(value, Google):
                self._calls.add(Call(site, self._clients.get(value.name, value.name)))
        if isinstance(node, ast.Attribute):
            held = self._interpreter.evaluate(where, node.value)
            for value in held:
                if isinstance(value, Kind | Made):  # a property has no function as its value
                    self._offer(value if isinstance(value, Kind) else value.kind, node.attr)
            if not held:
                self._want(node.attr)

    def _want(self, name: str) -> None:
        if name not in self._wanted:
            self._wanted.add(name)
            for kind in list(self._classes):
                self._offer(kind, name)

    def _offer(self, kind: Kind, name: str) -> None:
        found = self._interpreter.member(kind, name)
        if found is not None:
            self._meet(frozenset({Function(*found)}))

    def _meet(self, values: Values) -> None:
        for value in values:
            match value:
                case Function():
                    self._meet_function(value)
                case (Kind() as kind) | Made(kind=kind):
                    self._meet_class(kind)
                case Unit(name=name):
                    self._load(name)
                case _:
                    continue

    def _meet_function(self, function: Function) -> None:
        if function in self._functions:
            return
        self._functions.add(function)
        found = source(function.module)
        assert found is not None
        self._load(function.module)
        self._todo.append((found, found.functions[function.name], f"{function.module}.{function.name}"))
        owner, _, name = function.name.rpartition(".")
        if owner:  # whoever holds a base may hold a class of it
            self._want(name)

    def _meet_class(self, kind: Kind) -> None:
        if kind in self._classes:
            return
        self._classes.add(kind)
        self._load(kind.module)
        for above in self._interpreter.bases(kind):
            self._meet_class(above)
        found = source(kind.module)
        assert found is not None
        body = found.classes[kind.name]
        foreign = any(not self._is_ours(found, base) for base in body.bases)
        for statement in body.body:
            if isinstance(statement, Definition):
                name = statement.name
                special = name.startswith("__")
                if special or foreign or name in self._wanted:
                    self._meet(frozenset({Function(kind.module, f"{kind.name}.{name}")}))

    def _is_ours(self, where: Source, base: ast.expr) -> bool:
        return any(isinstance(v, Kind) for v in self._interpreter.evaluate(where, base)) or _last_name(base) in {
            "Protocol",
            "Generic",
            "StrEnum",
            "Enum",
            "Exception",
        }


def find_calls(entries: Sequence[str], clients: Mapping[str, str], gives: Mapping[str, str]) -> Found:
    """Return what a process that starts with ``entries`` may call.

    ``clients`` gives Google's classes short names; ``gives`` says what their members return, by those.
    """
    return Reach(clients, gives).start(entries)


def _nodes(top: ast.AST) -> Iterator[ast.AST]:
    """Give what runs with a function, or when a module is loaded; types say nothing that runs."""
    whole = isinstance(top, Definition)
    for child in _parts(top, body=True):
        if isinstance(child, ast.If) and _last_name(child.test) == "TYPE_CHECKING":
            continue
        yield child
        if isinstance(child, Definition) and not whole:
            for part in _parts(child, body=False):
                yield from [part, *ast.walk(part)]
        else:
            yield from _within(child) if whole else _nodes(child)


def _within(node: ast.AST) -> Iterator[ast.AST]:
    for child in _parts(node, body=True):
        yield child
        yield from _within(child)


def _parts(node: ast.AST, *, body: bool) -> Iterator[ast.AST]:
    """Give the children of a node without annotations, and a function's body only if asked for."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.decorator_list
            yield from (default for default in [*node.args.defaults, *node.args.kw_defaults] if default)
            yield from node.body if body else ()
        case ast.AnnAssign(value=value):
            yield from [value] if value else ()
        case _:
            yield from ast.iter_child_nodes(node)


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
