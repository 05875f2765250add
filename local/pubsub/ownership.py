"""One server for each data directory."""

import fcntl
import os
from pathlib import Path


class DirectoryTakenError(Exception):
    """Another server uses the data directory."""


def own(directory: Path) -> None:
    """Claim a directory until this process ends, however it ends.

    Raises:
        DirectoryTakenError: a living process has claimed it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "pubsub.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise DirectoryTakenError(f"another Pub/Sub server is using {directory}") from error
