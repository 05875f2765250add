"""pgqueuer: one process, asyncpg, eight tasks at once."""

import asyncio
import sys
from datetime import timedelta

import asyncpg
from pgqueuer.db import AsyncpgDriver, AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

#: What the log says of finished jobs; it is what pgqueuer keeps of them.
COUNTING = "SELECT count(*), min(created), max(created) FROM pgqueuer_log WHERE status = 'successful'"


async def fill(url: str, jobs: int) -> None:
    """Install the tables and queue the jobs."""
    connection = await asyncpg.connect(url)
    queries = Queries(AsyncpgDriver(connection))
    await queries.install()
    await queries.enqueue(["noop"] * jobs, [None] * jobs, [0] * jobs)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def work(url: str, slots: int) -> None:
    """Work until the queue is empty."""
    async with asyncpg.create_pool(url, min_size=2, max_size=slots + 2) as pool:
        manager = QueueManager(Queries(AsyncpgPoolDriver(pool)))

        @manager.entrypoint("noop")
        async def noop(_job: Job) -> None:
            pass

        await manager.run(
            batch_size=slots // 2,  # the most that it takes for this concurrency
            max_concurrent_tasks=slots,
            dequeue_timeout=timedelta(seconds=1),
            mode=QueueExecutionMode.drain,
        )


async def main() -> None:
    """``URL JOBS SLOTS``."""
    url, jobs, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    await fill(url, jobs)
    await work(url, slots)


if __name__ == "__main__":
    asyncio.run(main())
