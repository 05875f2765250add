"""Awa: its Rust runtime with eight workers on one queue, and Python handlers."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import awa


@dataclass
class Noop:
    """A job with nothing to say."""

    number: int


async def main() -> None:
    """``URL JOBS SLOTS``: queue the jobs, work until all are completed."""
    url, jobs, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = awa.AsyncClient(url)
    await client.migrate()
    await client.insert_many_copy([Noop(number) for number in range(jobs)], queue="bench")
    left, done = jobs, asyncio.Event()

    @client.task(Noop, queue="bench")
    async def noop(_job: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    await client.start([("bench", slots)])
    await done.wait()
    await client.shutdown(timeout_ms=30_000)


if __name__ == "__main__":
    asyncio.run(main())
