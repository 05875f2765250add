"""Writes a file whole or not at all."""

import os
from pathlib import Path


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Put ``text`` into ``path`` so that a reader, or a power cut, finds the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
