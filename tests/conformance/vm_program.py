"""What the machines of the Compute tests run: notes in a journal what it meets, and leaves a daemon behind.

``STUBBORN`` in the environment: it does not end on SIGTERM. ``HASTY``: it ends by itself at once.
"""

import json
import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn


def note(event: str, **facts: object) -> None:
    line = {"event": event, "vm": os.environ["SPOTMILL_LOCAL_VM"].rpartition(":")[2], "pid": os.getpid(), **facts}
    with Path(os.environ["JOURNAL"]).open("a") as journal:
        journal.write(json.dumps(line | {"boot_id": os.environ["SPOTMILL_BOOT_ID"]}) + "\n")


def daemon() -> int:
    """Start a process that has left our session, our process group, our environment and us."""
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.setsid()
        pid = os.posix_spawn("/bin/sleep", ["sleep", "1000"], {})
        os.write(writer, str(pid).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    return int(os.read(reader, 20))


def on_term(_signal: int, _frame: FrameType | None) -> None:
    note("term")
    if "STUBBORN" not in os.environ:
        sys.exit(0)


def main() -> NoReturn:
    signal.signal(signal.SIGTERM, on_term)
    print("up", flush=True)  # noqa: T201 - for the console
    names = ("TMPDIR", "GCE_METADATA_HOST", "GCE_METADATA_IP", "SPOTMILL_GREETING")
    note("start", daemon=daemon(), cwd=str(Path.cwd()), env={name: os.environ.get(name) for name in names})
    if "HASTY" in os.environ:
        sys.exit(3)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
