"""``python -m shared.settings_table`` writes ``docs/settings.md``: every environment variable, from the code."""

from pathlib import Path

from pydantic import AliasChoices
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.settings import DispatcherSettings, Settings, WebSettings, WorkerSettings

TABLE = Path(__file__).parent.parent / "docs" / "settings.md"

_PARTS: tuple[tuple[str, type[Settings]], ...] = (
    ("All processes", Settings),
    ("Dispatcher", DispatcherSettings),
    ("Worker", WorkerSettings),
    ("Web", WebSettings),
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
        inherited = set() if kind is Settings else set(Settings.model_fields)
        lines += ["", f"## {title}", "", "| variable | default | meaning |", "| --- | --- | --- |"]
        lines += [
            f"| `{_variable(name, field)}` | {_default(field)} | {field.description} |"
            for name, field in kind.model_fields.items()
            if name not in inherited
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TABLE.write_text(render(), encoding="utf-8")
