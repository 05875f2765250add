"""Checks the settings of every process before any starts: ``python -m local.bootstrap.settings DATA_DIR``."""

import os
import sys
from pathlib import Path

from shared.settings import DispatcherSettings, Settings, SettingsError, WebSettings, WorkerSettings, load

KINDS: dict[str, type[Settings]] = {"web": WebSettings, "dispatcher": DispatcherSettings, "worker": WorkerSettings}


def main() -> None:
    """Load each process's settings from its file and the shell; name every mistake once and fail."""
    said: set[str] = set()
    shell = dict(os.environ)
    for name, kind in KINDS.items():
        lines = (Path(sys.argv[1]) / "env" / f"{name}.env").read_text(encoding="utf-8").splitlines()
        os.environ.clear()
        os.environ.update(shell | dict(line.split("=", 1) for line in lines))
        try:
            load(kind)
        except SettingsError as error:
            said.add(str(error))
    if said:
        sys.exit("\n".join(sorted(said)))


if __name__ == "__main__":
    main()
