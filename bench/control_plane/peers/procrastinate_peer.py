"""Procrastinate: one worker process with eight jobs at once, psycopg 3."""

import asyncio
import sys

from procrastinate import App, PsycopgConnector


async def main() -> None:
    """``URL JOBS SLOTS``: queue the jobs, work until none is left."""
    url, jobs, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    app = App(connector=PsycopgConnector(conninfo=url, max_size=slots + 2))

    @app.task(name="noop")
    async def noop() -> None:
        pass

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await noop.batch_defer_async(*[{}] * jobs)
        await app.run_worker_async(concurrency=slots, wait=False, install_signal_handlers=False)


if __name__ == "__main__":
    asyncio.run(main())
