"""Asks whether a server answers; each probe is one short look."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from local.postgres.cluster import Cluster

LOOK_SECONDS = 1.0

Probe = Callable[[], Awaitable[bool]]


async def at_once() -> bool:
    """Say yes, for programs that nobody connects to."""
    return True


def listening(port: int) -> Probe:
    """Whether somebody accepts connections."""

    async def look() -> bool:
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
        return False

    return look


def answering(port: int, path: str, *statuses: int) -> Probe:
    """Whether ``GET path`` is answered with one of these HTTP statuses."""

    async def look() -> bool:
        with contextlib.suppress(OSError, TimeoutError, ValueError, IndexError):
            async with asyncio.timeout(LOOK_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
                line = await reader.readline()
                writer.close()
                return int(line.split()[1]) in statuses
        return False

    return look


def postgres_ready(data_dir: Path, port: int) -> Probe:
    """Whether Postgres has recovered and takes connections: it opens its port before that."""
    cluster, open_port = Cluster(data_dir), listening(port)

    async def look() -> bool:
        postmaster = cluster.postmaster()
        return postmaster is not None and postmaster.ready and postmaster.port == port and await open_port()

    return look
