"""Telling what an expression of our source may be: a small abstract interpreter.

It follows imports, annotations, assignments, attributes of classes and return values. Containers are transparent: a
list of blobs is a blob.
"""

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping, Sequence

from tests.terraform.source_tree import Definition, Node, Scope, Source, inside, is_ours, source
from tests.terraform.source_values import (
    NOTHING,
    OTHER,
    OTHERS,
    Bound,
    Function,
    Google,
    GoogleMade,
    Kind,
    Made,
    Member,
    Several,
    Unit,
    Value,
    Values,
    canonical,
    fields,
    flat,
    google_class,
    targets,
)

#: Methods of containers, which give out what is in them.
_CONTAINS = frozenset({"copy", "get", "items", "keys", "pop", "popitem", "popleft", "result", "setdefault", "values"})
#: Names in annotations that say nothing.
_UNSAID = frozenset({"Any", "object", "Callable", "Self", "T", "TypeVar"})
_PROPERTIES = frozenset({"property", "cached_property"})


class Interpreter:
    """Evaluates expressions. ``gives`` says what members of Google's classes return: path to class."""

    def __init__(self, clients: Mapping[str, str], gives: Mapping[str, str]) -> None:
        self._clients = clients
        self._gives = gives
        self._busy: set[tuple[str, int]] = set()
        self._bindings: dict[Scope, dict[str, list[Bound]]] = {}
        self._kept: dict[tuple[str, int], Values] = {}

    # Modules and what is in them

    def module(self, name: str) -> Value:
        """Return a module, ours or Google's."""
        return Unit(name) if source(name) or name.partition(".")[0] == "google" else OTHER

    def in_module(self, module: str, name: str) -> Values:
        """Return what a name is in a module."""
        found = source(module)
        if found is None and is_ours(module):  # a package without a file of its own
            return frozenset({Unit(f"{module}.{name}")})
        if found is None:
            return self._of_google(module, name)
        if name in found.functions:
            return frozenset({Function(module, name)})
        if name in found.classes:
            return frozenset({Kind(module, name)})
        if values := self._named(found, found.tree, name):
            return values
        inner = f"{module}.{name}"
        return frozenset({Unit(inner)}) if source(inner) else NOTHING

    def _of_google(self, module: str, name: str) -> Values:
        try:
            thing = getattr(importlib.import_module(module), name, None)
        except ImportError:
            return OTHERS
        if thing is None:
            try:
                importlib.import_module(f"{module}.{name}")
            except ImportError:
                return NOTHING
            return frozenset({Unit(f"{module}.{name}")})
        if inspect.ismodule(thing):
            return frozenset({Unit(thing.__name__)})
        if inspect.isclass(thing) or inspect.isroutine(thing):
            return frozenset({Google(canonical(thing))}) if thing.__module__.startswith("google") else OTHERS
        return OTHERS

    # Names

    def _named(self, where: Source, scope: Scope, name: str) -> Values:
        bound = self._bound(where, scope).get(name)
        if bound is None:
            return NOTHING
        return frozenset().union(*(self._value(where, one) for one in bound))

    def _value(self, where: Source, bound: Bound) -> Values:
        if bound.annotation is not None and (said := self.annotated(where, bound.annotation)):
            return said
        if bound.node is None:
            return bound.value
        values = self.evaluate(where, bound.node)
        if bound.part is None:
            return values
        parts = [value.parts for value in values if isinstance(value, Several) and len(value.parts) > bound.part]
        if parts:
            return frozenset().union(*(found[bound.part] for found in parts))
        return flat(values)

    def _bound(self, where: Source, scope: Scope) -> dict[str, list[Bound]]:
        if scope not in self._bindings:
            found: dict[str, list[Bound]] = {}
            for name, bound in self._bind(where, scope):
                found.setdefault(name, []).append(bound)
            self._bindings[scope] = found
        return self._bindings[scope]

    def _bind(self, where: Source, scope: Scope) -> Iterator[tuple[str, Bound]]:
        if isinstance(scope, Definition | ast.Lambda):
            arguments = scope.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
            for number, argument in enumerate(a for a in every if a is not None):
                method = where.around(scope) if isinstance(where.parents.get(scope), ast.ClassDef) else None
                if number == 0 and method is not None and argument.annotation is None:
                    kind = Kind(where.name, method)
                    yield argument.arg, Bound(value=frozenset({kind if argument.arg == "cls" else Made(kind)}))
                else:
                    yield argument.arg, Bound(annotation=argument.annotation)
        for node in inside(scope):
            yield from self._bind_statement(where, node)

    def _bind_statement(  # noqa: C901, PLR0912 - one case for each statement that binds a name
        self, where: Source, node: Node
    ) -> Iterator[tuple[str, Bound]]:
        match node:
            case ast.Import(names=names):
                for alias in names:
                    whole = alias.name if alias.asname else alias.name.partition(".")[0]
                    yield alias.asname or whole, Bound(value=frozenset({self.module(whole)}))
            case ast.ImportFrom(module=module, names=names, level=level):
                package = where.name if where.path.name == "__init__.py" else where.name.rpartition(".")[0]
                base = ".".join([package, *([module] if module else [])]) if level else module or ""
                for alias in names:
                    known = is_ours(base) or base.startswith("google")
                    value = self.in_module(base, alias.name) if known else OTHERS
                    yield alias.asname or alias.name, Bound(value=value)
            case ast.Assign(targets=several, value=value):
                for target in several:
                    yield from targets(target, value)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value):
                yield name, Bound(value, annotation=annotation)
            case ast.NamedExpr(target=target, value=value):
                yield target.id, Bound(value)
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                yield from targets(target, value)
            case ast.withitem(context_expr=value, optional_vars=target) if target is not None:
                yield from targets(target, value)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, Bound(value=OTHERS)  # a nested one: its body counts as its surroundings'
            case ast.ExceptHandler(name=str(name)):
                yield name, Bound(value=OTHERS)
            case _:
                return

    # Annotations

    def annotated(self, where: Source, annotation: ast.expr | None) -> Values:
        """Return what is of a type, or a container of it; nothing if it could be anything."""
        if annotation is None:
            return NOTHING
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            try:
                annotation = ast.parse(annotation.value, mode="eval").body
            except SyntaxError:  # a text beside a type, as Annotated has
                return OTHERS
        found: set[Value] = set()
        unsaid = False
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= self.annotated(where, node)
            elif isinstance(node, ast.Name | ast.Attribute):
                name = node.id if isinstance(node, ast.Name) else node.attr
                unsaid = unsaid or name in _UNSAID
                values = self._global(where, node)
                found |= {Made(v) for v in values if isinstance(v, Kind)}
                found |= {GoogleMade(v.name) for v in values if isinstance(v, Google)}
        if found:
            return frozenset(found)
        return NOTHING if unsaid else OTHERS

    def _global(self, where: Source, node: ast.expr) -> Values:
        if isinstance(node, ast.Name):
            return self.in_module(where.name, node.id)
        if isinstance(node, ast.Attribute):
            units = [value for value in self._global(where, node.value) if isinstance(value, Unit)]
            return frozenset().union(*(self.in_module(unit.name, node.attr) for unit in units))
        return NOTHING

    # Expressions

    def evaluate(self, where: Source, node: ast.expr) -> Values:
        """Return what an expression may be."""
        key = (where.name, id(node))
        if key in self._kept:
            return self._kept[key]
        if key in self._busy:
            return NOTHING
        self._busy.add(key)
        try:
            values = self._evaluate(where, node)
        finally:
            self._busy.discard(key)
        if not self._busy:  # inside a circle it may be only a part
            self._kept[key] = values
        return values

    def _evaluate(  # noqa: C901, PLR0911, PLR0912 - one case for each kind of expression
        self, where: Source, node: ast.expr
    ) -> Values:
        match node:
            case ast.Name(id=name):
                for scope in where.scopes(node):
                    if scope is not where.tree and name in self._bound(where, scope):
                        return self._named(where, scope, name)
                return self.in_module(where.name, name) or OTHERS
            case ast.Attribute(value=value, attr=name):
                held = self.evaluate(where, value)
                return frozenset().union(*(self.attribute(one, name) for one in held))
            case ast.Call():
                return self._called(where, node)
            case ast.Tuple(elts=parts) if not any(isinstance(part, ast.Starred) for part in parts):
                return frozenset({Several(tuple(self.evaluate(where, part) for part in parts))})
            case ast.Constant() | ast.Compare() | ast.JoinedStr():
                return OTHERS
            case ast.Subscript(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                return flat(self.evaluate(where, value))
            case ast.DictComp(key=key, value=value):
                return self._any_of(where, [key, value])
            case ast.ListComp(elt=value) | ast.SetComp(elt=value) | ast.GeneratorExp(elt=value):
                return flat(self.evaluate(where, value))
            case ast.Dict(values=values):
                return self._any_of(where, values)
            case ast.BoolOp(values=values) | ast.List(elts=values) | ast.Set(elts=values) | ast.Tuple(elts=values):
                return self._any_of(where, values)
            case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
                return self._any_of(where, [one, other])
            case ast.NamedExpr(value=value) | ast.UnaryOp(operand=value) | ast.Lambda(body=value):
                return self.evaluate(where, value)
            case _:
                return OTHERS

    def _any_of(self, where: Source, nodes: Sequence[ast.expr | None]) -> Values:
        values = [flat(self.evaluate(where, node)) for node in nodes if node is not None]
        found = frozenset().union(*values)
        return found - OTHERS or (OTHERS if all(values) else NOTHING)

    def attribute(self, value: Value, name: str) -> Values:  # noqa: PLR0911 - one case for each kind of value
        """Return what an attribute of a value may be."""
        match value:
            case Unit(name=module):
                return self.in_module(module, name)
            case Made(kind=kind):
                return self._of_made(kind, name)
            case Kind():
                found = self.member(value, name)
                return frozenset({Function(*found)}) if found else OTHERS
            case GoogleMade(name=owner) if name in _CONTAINS and not hasattr(google_class(owner), name):
                return frozenset({value})  # a container of them
            case GoogleMade(name=owner) | Google(name=owner):
                return frozenset({Member(self._owner(owner, name), name)})
            case Member():
                given = self._given(value.path)
                return frozenset().union(*(self.attribute(one, name) for one in given)) if given else OTHERS
            case Several():
                return frozenset().union(*(self.attribute(one, name) for one in flat(frozenset({value}))))
            case _:
                return OTHERS

    def _owner(self, owner: str, name: str) -> str:
        """Name the class whose member this is as the table does, that of a base of it included."""
        for known in (
            [canonical(base) for base in inspect.getmro(google_class(owner))] if google_class(owner) else [owner]
        ):
            if known in self._clients:
                short = self._clients[known]
                if short == self._clients.get(owner) or hasattr(google_class(known), name):
                    return short
        return owner

    def _given(self, path: str) -> Values:
        names = {short: full for full, short in self._clients.items()}
        given = self._gives.get(path)
        return frozenset({GoogleMade(names[given])}) if given else NOTHING

    def member(self, kind: Kind, name: str) -> tuple[str, str] | None:
        """Find a method of a class or its bases; return where it stands and its qualified name."""
        for above in self.bases(kind):
            found = source(above.module)
            if found is not None and f"{above.name}.{name}" in found.functions:
                return above.module, f"{above.name}.{name}"
        return None

    def bases(self, kind: Kind) -> Iterator[Kind]:
        """Give a class and its bases of ours."""
        yield kind
        found = source(kind.module)
        if found is not None:
            for base in found.classes[kind.name].bases:
                for value in self._global(found, base.value if isinstance(base, ast.Subscript) else base):
                    if isinstance(value, Kind):
                        yield from self.bases(value)

    def _of_made(self, kind: Kind, name: str) -> Values:
        found = self.member(kind, name)
        if found is not None:
            function = Function(*found)
            node = _definition(function)
            decorators = {d.id if isinstance(d, ast.Name) else getattr(d, "attr", "") for d in node.decorator_list}
            return self.returned(function) if decorators & _PROPERTIES else frozenset({function})
        values: Values = NOTHING
        known = False
        for above in self.bases(kind):
            where = source(above.module)
            assert where is not None
            for bound in fields(where.classes[above.name], name):
                known = True
                values |= self._value(where, bound)
        if known:
            return values
        if name in _CONTAINS:
            return frozenset({Made(kind)})
        return NOTHING if self._is_protocol(kind) else OTHERS

    def _is_protocol(self, kind: Kind) -> bool:
        found = source(kind.module)
        return found is not None and any("Protocol" in ast.dump(base) for base in found.classes[kind.name].bases)

    def returned(self, function: Function) -> Values:
        """Return what a function may return, by its annotation or else by its return statements."""
        where, node = source(function.module), _definition(function)
        assert where is not None
        if said := self.annotated(where, node.returns):
            return said
        nodes = [n.value for n in inside(node) if isinstance(n, ast.Return | ast.Yield) and n.value is not None]
        return frozenset().union(*(self.evaluate(where, one) for one in nodes))

    def _called(self, where: Source, call: ast.Call) -> Values:
        callee = self.evaluate(where, call.func)
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        if name == "import_module" and (module := self.text(where, call.args[0])) is not None:
            return frozenset({self.module(module)})
        if name == "cast" and len(call.args) == 2:
            return self.annotated(where, call.args[0])
        found: set[Value] = set()
        through = not callee
        for value in callee:
            match value:
                case Kind():
                    found.add(Made(value))
                case Google(name=made):
                    given = self._given(self._clients.get(made, made))
                    found |= given or {GoogleMade(made)}
                case Function():
                    found |= self.returned(value)
                case Member():
                    found |= self._given(value.path) or {OTHER}
                case Made(kind=kind):
                    called = self.member(kind, "__call__")
                    found |= self.returned(Function(*called)) if called else {value}
                case _:
                    through = True
        if through:  # list, next, zip, partial, pool.map, …: some of what goes in comes out
            given = self._any_of(where, [*call.args, *(keyword.value for keyword in call.keywords)])
            held = self.evaluate(where, call.func.value) if isinstance(call.func, ast.Attribute) else OTHERS
            found |= given if OTHER in callee or given - OTHERS else (given & held)
        return frozenset(found)

    def text(self, where: Source, node: ast.expr) -> str | None:
        """Return the text that an expression surely is: a constant, or an f-string of constants."""
        match node:
            case ast.Constant(value=str(said)):
                return said
            case ast.Name(id=name):
                for bound in self._bound(where, where.tree).get(name, ()):
                    if bound.node is not None:
                        return self.text(where, bound.node)
                return None
            case ast.JoinedStr(values=values):
                parts = [self.text(where, v.value if isinstance(v, ast.FormattedValue) else v) for v in values]
                return None if None in parts else "".join(part or "" for part in parts)
            case _:
                return None


def _definition(function: Function) -> Definition:
    found = source(function.module)
    assert found is not None
    return found.functions[function.name]
