"""Finalize events through the whole dispatcher against the same driver and threads that do only the SQL."""

import json
import socket
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from sqlalchemy import create_engine, text

from bench.progress import say
from eventarc.contract import read_sample
from shared import lifecycle
from shared.jobs import NewJob, Pending
from tests.cloud import Cloud, running

#: What ``gunicorn --threads`` of the dispatcher says; the bare loop gets as many threads and connections.
_THREADS = 8
#: Events under way at any time: enough that no thread of the dispatcher waits for work.
_CONNECTIONS = 32


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure events and rows per second in turns, so that other work on the machine hits both alike.

    An event counts when its answer has come: its job is recorded, announced and noted as announced. The bare loop does
    the SQL of that, in a process of its own: ``record`` and ``mark_published``, each job in two transactions.
    """
    events, rounds = (2000, 3) if quick else (10_000, 5)
    whole, bare = list[_Round](), list[_Round]()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data", "--port", "0") as cloud:
        dispatcher = psutil.Process(cloud.pids()["dispatcher"])
        _measured(_post_all, cloud.environment["SPOTMILL_DISPATCHER_URL"], cloud.settings.upload_bucket, 500)
        for number in range(rounds):
            url = str(cloud.settings.database_url)
            say(f"dispatcher: round {number + 1} of {rounds}, {events:,} events")
            bare.append(_measured(_record_all, url, f"bare-{number}", events))
            before = _cpu_seconds(dispatcher)
            posted = _measured(_post_all, cloud.environment["SPOTMILL_DISPATCHER_URL"], "bench-uploads", events)
            whole.append(replace(posted, cpu_seconds=_cpu_seconds(dispatcher) - before))
        _check(cloud, events * rounds)
    ratios = [w.per_second / b.per_second for w, b in zip(whole, bare, strict=True)]
    costs = [b.cpu_milliseconds / w.cpu_milliseconds for w, b in zip(whole, bare, strict=True)]
    return [
        _row(f"only the SQL, {_THREADS} threads", statistics.median(b.per_second for b in bare), "events/s"),
        _row("its processor time", statistics.median(b.cpu_milliseconds for b in bare), "ms/event"),
        _row(
            "dispatcher, one process: recorded and published",
            statistics.median(w.per_second for w in whole),
            "events/s",
        ),
        _row("its processor time", statistics.median(w.cpu_milliseconds for w in whole), "ms/event"),
        _row("dispatcher / only the SQL (median of rounds)", statistics.median(ratios), "ratio", ">= 0.5"),
        _row("the same by processor time", statistics.median(costs), "ratio"),
    ]


@dataclass(frozen=True)
class _Round:
    """One load: how long it took, and the processor time of who bore it."""

    events: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        return 1000 * self.cpu_seconds / self.events


def _measured(work: Callable[[str, str, int], _Round], where: str, name: str, number: int) -> _Round:
    """Run one load in a fresh process, which shares no interpreter lock with what it measures."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, where, name, number).result()


def _post_all(url: str, bucket: str, events: int) -> _Round:
    """Post finalize events over connections that stay open; its own processor time is not the dispatcher's."""
    where = urlsplit(url)
    folder, numbers = uuid.uuid4(), count()
    sample = read_sample("storage-finalized")

    def post_some() -> None:
        with socket.create_connection((where.hostname or "", where.port or 80), timeout=60) as connection:
            answers = connection.makefile("rb")
            while (number := next(numbers)) < events:
                name = f"20251203T15Z/{folder}/{number}.jpg"
                body = json.dumps(sample.body | {"bucket": bucket, "name": name, "contentType": "image/jpeg"}).encode()
                headers = sample.headers | {"ce-id": str(number), "ce-subject": f"objects/{name}", "host": where.netloc}
                lines = [f"{key}: {value}" for key, value in (headers | {"content-length": str(len(body))}).items()]
                connection.sendall("\r\n".join(["POST / HTTP/1.1", *lines, "", ""]).encode() + body)
                _read_answer(answers)

    return _timed(post_some, _CONNECTIONS, events)


def _read_answer(answers: Any) -> None:
    status, length = answers.readline().split()[1], 0
    while (line := answers.readline().strip().lower()) != b"":
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    answers.read(length)
    if status != b"200":
        raise RuntimeError(f"the dispatcher answered {status.decode()}")


def _record_all(url: str, folder: str, rows: int) -> _Round:
    """Record and mark jobs one by one, as many threads as the dispatcher has."""
    engine = create_engine(url, pool_size=_THREADS, pool_pre_ping=True)
    numbers = count()

    def record_some() -> None:
        while (number := next(numbers)) < rows:
            job = NewJob(
                bucket="bench-bare",
                object=f"20251203T15Z/{folder}/{number}.jpg",
                generation=1,
                pipeline="image",
                size_bytes=1,
                content_type="image/jpeg",
            )
            with engine.begin() as connection:
                recorded = lifecycle.record(connection, [job])
            with engine.begin() as connection:
                lifecycle.mark_published(connection, [Pending(r.id, r.queued_at) for r in recorded])

    try:
        return _timed(record_some, _THREADS, rows)
    finally:
        engine.dispose()


def _timed(work: Callable[[], None], threads: int, items: int) -> _Round:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told by the thread that waits
            failures.append(error)

    workers = [threading.Thread(target=guarded) for _ in range(threads)]
    began, cpu = time.perf_counter(), time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failures:
        raise failures[0]
    return _Round(items, time.perf_counter() - began, time.process_time() - cpu)


def _cpu_seconds(process: psutil.Process) -> float:
    """Processor time of a server with the processes below it."""
    return sum(sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True)))


def _check(cloud: Cloud, events: int) -> None:
    engine = create_engine(str(cloud.settings.database_url))
    with engine.connect() as connection:
        found = connection.execute(
            text("SELECT count(*) FROM jobs WHERE bucket = 'bench-uploads' AND published_at IS NOT NULL")
        ).scalar_one()
    engine.dispose()
    if found != events:
        raise RuntimeError(f"{found} of {events} events were recorded and published")


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "dispatcher", "name": name, "value": round(value, 2), "unit": unit, "target": target}
