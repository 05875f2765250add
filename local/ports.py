"""Picks TCP ports on loopback that stay the same from one start to the next."""

import random
import socket
import time
from collections.abc import Iterable, Mapping

# Below the range that systems take the ports of outgoing connections from: otherwise, while a server is down, one of
# its own clients could be given its port.
_RANGE = range(20000, 32000)
_BURIAL_SECONDS = 1.0
_LOOK_SECONDS = 0.02


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now.

    Raises:
        PermissionError: this user never could.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that are still winding down do not matter, listeners do.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except PermissionError:
            raise
        except OSError:
            return False
    return True


def becomes_free(port: int) -> bool:
    """Whether a port is free, or becomes so within a second: the kernel takes a moment to bury a killed server."""
    deadline = time.monotonic() + _BURIAL_SECONDS
    while not (free := is_free(port)) and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
    return free


def assign(names: Iterable[str], stored: Mapping[str, int], avoid: int = 0) -> dict[str, int]:
    """Give each name its stored port if that is still free, else another, but never ``avoid``.

    Raises:
        OSError: no port is free.
    """
    found: dict[str, int] = {}
    for name in names:
        port = stored.get(name)
        usable = port is not None and port != avoid and is_free(port)
        found[name] = port if port is not None and usable else _free_port({avoid, *found.values()})
    return found


def _free_port(taken: set[int]) -> int:
    for port in random.sample(_RANGE, len(_RANGE)):
        if port not in taken and is_free(port):
            return port
    raise OSError(f"no TCP port from {_RANGE.start} to {_RANGE.stop} is free")
