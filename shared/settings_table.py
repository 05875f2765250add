"""``python -m shared.settings_table`` writes ``docs/settings.md``: every environment variable, from the code."""

from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.settings import (
    DatabaseSettings,
    DispatcherSettings,
    MigrationSettings,
    Settings,
    WebSettings,
    WorkerSettings,
)

TABLE = Path(__file__).parent.parent / "docs" / "settings.md"

_PARTS: tuple[tuple[str, type[DatabaseSettings]], ...] = (
    ("All processes", DatabaseSettings),
    ("Web, dispatcher and worker", Settings),
    ("Dispatcher", DispatcherSettings),
    ("Worker", WorkerSettings),
    ("Web", WebSettings),
    ("`spotmill migrate`", MigrationSettings),
)


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"SPOTMILL_{name.upper()}"


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default in (None, ()):
        return "none"
    return f"`{field.default}`"


def render() -> str:
    """Return the page in Markdown."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable, read once when a process starts. A missing or wrong one is named in",
        "the log and, for the web service, on the page. This page is made by `python -m shared.settings_table`.",
    ]
    for title, kind in _PARTS:
        inherited = {
            name: f for parent in kind.__mro__[:0:-1] for name, f in getattr(parent, "model_fields", {}).items()
        }
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        lines += [
            f"| `{_variable(name, field)}` | {_default(field)} | {field.description} |"
            for name, field in kind.model_fields.items()
            if name not in inherited or inherited[name].default != field.default
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(render(), encoding="utf-8")
