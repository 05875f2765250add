"""Which fields each event has that our programs log, as their source tells."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from services.dispatcher.vitals import Vitals
from tests.terraform.terraform import REPOSITORY

_LEVELS = frozenset({"debug", "info", "warning", "error", "critical", "exception"})
#: What ``Held.log`` knows of its job (worker/holding.py), and what is in the names of every line (shared/logging.py).
_OF_A_JOB = frozenset({"job", "attempt", "pipeline", "worker"})
#: What ``**asdict(vitals)`` puts into a line.
_VITALS = frozenset(field.name for field in fields(Vitals))


def _calls() -> Iterator[ast.Call]:
    for folder in ("services", "shared", "worker"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LEVELS:
                    yield node


def _of_scripts(folder: Path) -> Iterator[tuple[str, set[str]]]:
    for script in sorted(folder.glob("*.sh")):
        for line in re.findall(r"printf '(\{.*\})\\n'", script.read_text()):
            said = json.loads(line)
            yield said["message"], set(said)


def logged() -> dict[str, set[str]]:
    """Return the fields by event: those that every call with that event has."""
    found: dict[str, set[str]] = {}
    said = list(_of_scripts(REPOSITORY / "terraform/modules/workers/files"))
    for call in _calls():
        match call.args:
            case [ast.Constant(value=str(event)), *_] if "." in event:
                names = {keyword.arg for keyword in call.keywords if keyword.arg is not None}
                spread = any(keyword.arg is None for keyword in call.keywords)
                bound = ast.unparse(call.func).startswith("held.log.")
                said.append((event, names | (_VITALS if spread else set()) | (_OF_A_JOB if bound else set())))
    for event, names in said:
        found[event] = found[event] & names if event in found else set(names)
    return found
