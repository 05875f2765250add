"""One log file for each program, kept small."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import BinaryIO

LIMIT_BYTES = 8 * 1024**2


class Logs:
    """The ``logs`` directory. Programs append to their files themselves, so that nothing stands between."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def of(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    @contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """Open a log for a program to append to."""
        with self.of(name).open("ab") as file:
            yield file

    def tail(self, name: str, lines: int) -> list[str]:
        """Return the last lines of a log."""
        try:
            with self.of(name).open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 64 * 1024))
                return file.read().decode(errors="replace").splitlines()[-lines:]
        except FileNotFoundError:
            return []

    def shorten(self) -> None:
        """Keep of each log that has grown too long one older part beside it.

        The file itself is emptied rather than replaced: its program goes on appending to it.
        """
        for file in self.directory.glob("*.log"):
            if file.stat().st_size > LIMIT_BYTES:
                copyfile(file, file.with_suffix(".log.1"))
                with file.open("r+b") as log:
                    log.truncate(0)
