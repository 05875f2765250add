"""The local Cloud Storage server: throughput, latency, and memory while large files pass through it."""

import http.client
import multiprocessing
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil

from bench.progress import say
from tests.conformance.gcs_server import GcsServer

MEGABYTE = 1_000_000
GIGABYTE = 1000 * MEGABYTE
#: What a browser or a careful program sends at a time; the Python client's own default holds 100 MB in memory.
CHUNK_BYTES = 16 * 1024 * 1024
SMALL_BYTES = 100_000
LIMIT = "< 100 MB"


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure one server of its own: 500 MB up and down, small objects, and (unless quick) 5 GB."""
    with tempfile.TemporaryDirectory(prefix="bench-gcs-") as folder, GcsServer(Path(folder)) as server:
        rows = [*_small(server, 100 if quick else 500), *_large(server, Path(folder), rounds=2 if quick else 5)]
        if not quick:
            say("gcs: 5 GB")
            rows += _huge(server, Path(folder), 5 * GIGABYTE)
    return rows


def _small(server: GcsServer, count: int) -> list[dict[str, Any]]:
    content = os.urandom(SMALL_BYTES)
    bucket = server.bucket()
    ups, downs = [], []
    for number in range(count):
        blob = bucket.blob(f"small/{number}")
        ups.append(_seconds(partial(blob.upload_from_string, content)))
        downs.append(_seconds(blob.download_as_bytes))
    target = server.sign(bucket.blob("put"), "PUT").removeprefix(server.url)
    connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def put() -> None:
        connection.request("PUT", target, content)
        response = connection.getresponse()
        response.read()
        assert response.status == 200

    puts = [_seconds(put) for _ in range(count)]
    listing = _seconds(lambda: list(bucket.list_blobs()))
    return [
        _row("100 KB up, Python client, p50", _median(ups) * 1000, "ms"),
        _row("100 KB up, signed PUT on an open connection, p50", _median(puts) * 1000, "ms"),
        _row("100 KB down, Python client, p50", _median(downs) * 1000, "ms"),
        _row("list, Python client", (count + 1) / listing, "objects/s"),
    ]


def _large(server: GcsServer, folder: Path, rounds: int) -> list[dict[str, Any]]:
    size = 500 * MEGABYTE
    source = _write(folder / "500-mb", size)
    blob = server.bucket().blob("large")
    url = server.sign(blob, "GET")
    with _peak_memory(server.process.pid) as peak:
        ups = [_seconds(lambda: blob.upload_from_filename(str(source))) for _ in range(rounds)]
        downs = [_seconds(lambda: _fetch(url)) for _ in range(rounds)]
    source.unlink()
    return [
        _row("500 MB up, Python client, best", size / min(ups) / MEGABYTE, "MB/s", ">= 150"),
        _row("500 MB up, Python client, median", size / _median(ups) / MEGABYTE, "MB/s", ">= 150"),
        _row(f"500 MB down, {_fetcher()}, best", size / min(downs) / MEGABYTE, "MB/s", ">= 1000"),
        _row(f"500 MB down, {_fetcher()}, median", size / _median(downs) / MEGABYTE, "MB/s", ">= 1000"),
        _row("memory of the server meanwhile, most", peak() / MEGABYTE, "MB", LIMIT),
    ]


def _huge(server: GcsServer, folder: Path, size: int) -> list[dict[str, Any]]:
    source = _write(folder / "5-gb", size)
    bucket = server.bucket()
    before = psutil.Process(server.process.pid).memory_info().rss
    with _peak_memory(server.process.pid) as peak, multiprocessing.get_context("spawn").Pool(1) as client:
        up_seconds, down_seconds, grown = client.apply(_up_and_down, (server.url, bucket.name, source))
    return [
        _row("5 GB up through a resumable session, Python client", size / up_seconds / MEGABYTE, "MB/s"),
        _row("5 GB down, Python client", size / down_seconds / MEGABYTE, "MB/s"),
        _row("memory of the server meanwhile, most", peak() / MEGABYTE, "MB", LIMIT),
        _row("growth of the server meanwhile", (peak() - before) / MEGABYTE, "MB", LIMIT),
        _row("growth of the client meanwhile", grown / MEGABYTE, "MB", LIMIT),
    ]


def _up_and_down(url: str, bucket: str, source: Path) -> tuple[float, float, int]:
    """Runs in a process of its own, whose memory nothing else touches; returns seconds up, seconds down, growth."""
    from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415 - the parent's imports are not measured
    from google.cloud import storage  # noqa: PLC0415 - as above

    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = storage.Client(project="mill-project", credentials=credentials, client_options={"api_endpoint": url})
    blob = client.bucket(bucket).blob("huge", chunk_size=CHUNK_BYTES)
    target = source.with_name("5-gb-back")
    before = psutil.Process().memory_info().rss
    with _peak_memory(os.getpid()) as peak:
        up_seconds = _seconds(lambda: blob.upload_from_filename(str(source)))
        source.unlink()
        down_seconds = _seconds(lambda: client.bucket(bucket).blob("huge").download_to_filename(str(target)))
    target.unlink()
    return up_seconds, down_seconds, peak() - before


@contextmanager
def _peak_memory(pid: int) -> Iterator[Callable[[], int]]:
    """Watch a process; the function tells its largest resident size in bytes."""
    process = psutil.Process(pid)
    peak = process.memory_info().rss
    stop = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.02):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: peak
    finally:
        stop.set()
        watcher.join()


def _fetch(url: str) -> None:
    if shutil.which("curl"):
        subprocess.run(["curl", "--silent", "--fail", "--output", os.devnull, url], check=True)
        return
    host, _, target = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(host)
    connection.request("GET", f"/{target}")
    response = connection.getresponse()
    while response.read(CHUNK_BYTES):
        pass


def _fetcher() -> str:
    return "curl" if shutil.which("curl") else "http.client"


def _write(path: Path, size: int) -> Path:
    block = os.urandom(10 * MEGABYTE)
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
    return path


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _median(values: list[float]) -> float:
    return quantiles(values, n=2)[0]


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "gcs", "name": name, "value": value, "unit": unit, "target": target}
