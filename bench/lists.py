"""The web service with a million jobs: each list and the queue at a glance, over HTTP, as a person and as an admin."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Connection, create_engine, text

from bench.million import ANOTHER, BUSIEST, fill
from bench.progress import say
from local.postgres.cluster import superuser_url
from services.web.cursor import Cursor
from services.web.identity import ASSERTION_HEADER
from shared import pauses
from tests.cloud import Cloud, running, wait_for
from tests.iap import AUDIENCE, Iap

ADMIN = "admin@example.org"
_CONFIG = Path(__file__).parents[1] / "services" / "web" / "gunicorn.conf.py"
_ROUNDS = 60
_TARGET_MS = 50
_WARM_SECONDS = 15


@contextmanager
def served(cloud: Cloud, iap: Iap) -> Iterator[str]:
    """Run the web service as its image does, with IAP's keys, on a port of this machine; give its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lines = (cloud.data_dir / "env" / "web.env").read_text(encoding="utf-8").splitlines()
    told = dict(line.split("=", 1) for line in lines) | {
        "SPOTMILL_WEB_URL": "https://spotmill.example.org",
        "SPOTMILL_IAP_AUDIENCE": AUDIENCE,
        "SPOTMILL_IAP_KEYS_URL": iap.keys_url,
        "SPOTMILL_ADMINS": ADMIN,
    }
    del told["SPOTMILL_DEV_USER"]
    command = [sys.executable, "-P", "-m", "gunicorn", "--config", str(_CONFIG), "--bind", f"127.0.0.1:{port}"]
    with (cloud.data_dir / "lists.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "services.web.app:create_app()"], env=os.environ | told, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}/api/v1"

    def up() -> bool:
        try:
            return requests.get(f"{url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    try:
        wait_for(up, 60, "the web service answers")
        yield url
    finally:
        process.terminate()
        process.wait(20)


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked for: each of ``paths`` in turn."""

    name: str
    paths: tuple[str, ...]
    again: bool = False  #: with the ETag of the answer before, as a page that looks for news


def calls(connection: Connection, many: int) -> list[Call]:
    """List the calls whose answers people wait for."""
    middle = connection.execute(
        text("SELECT created_at, id, object FROM jobs WHERE generation = :n"), {"n": many // 2}
    ).one()
    deep = Cursor(middle.created_at, middle.id).encode()
    rare = tuple(f"/jobs?q={n:07}" for n in range(1, many, max(1, many // _ROUNDS)))
    return [
        Call("GET /queue", ("/queue",)),
        Call("GET /queue, nothing new", ("/queue",), again=True),
        Call("first page", ("/jobs",)),
        Call("first page, nothing new", ("/jobs",), again=True),
        Call("200 jobs", ("/jobs?limit=200",)),
        Call("a page from the middle", (f"/jobs?cursor={deep}",)),
        Call("one state", ("/jobs?status=failed", "/jobs?status=queued", "/jobs?status=succeeded")),
        Call("two states", ("/jobs?status=failed,cancelled",)),
        Call("a rare state, from the middle", (f"/jobs?status=superseded&cursor={deep}",)),
        Call("a pipeline", ("/jobs?pipeline=image", "/jobs?pipeline=video")),
        Call("a pipeline that has no jobs", ("/jobs?pipeline=unheard-of",)),
        Call("a pipeline and a state", ("/jobs?pipeline=video&status=cancelled", "/jobs?pipeline=audio&status=failed")),
        Call("a pipeline and a state without jobs", ("/jobs?pipeline=unheard-of&status=succeeded",)),
        Call("search, one hit", rare),
        Call("search, many hits", ("/jobs?q=harbour", "/jobs?q=.jpg")),
        Call("search, no hit", tuple(f"/jobs?q={uuid.uuid4().hex[:9]}" for _ in range(_ROUNDS))),
        Call("search, two letters", ("/jobs?q=ha", "/jobs?q=DS")),
        Call("search, two letters without a hit", ("/jobs?q=zz",)),
        Call("search in a state", ("/jobs?q=harbour&status=failed", "/jobs?q=concert&status=superseded")),
        Call("search in a pipeline", ("/jobs?q=interview&pipeline=video", "/jobs?q=drone&pipeline=unheard-of")),
        Call("search, from the middle", (f"/jobs?q=podcast&cursor={deep}",)),
        Call("one upload", (f"/jobs?object={middle.object}",)),
        Call("one job", (f"/jobs/{middle.id}",)),
    ]


def measure(session: requests.Session, url: str, call: Call, headers: dict[str, str]) -> list[float]:
    """Ask over and over; return milliseconds."""
    took = []
    known: dict[str, str] = {}
    for number in range(_ROUNDS + 3):
        path = call.paths[number % len(call.paths)]
        started = time.perf_counter()
        answer = session.get(url + path, headers=headers | (known if call.again else {}), timeout=60)
        took.append(1000 * (time.perf_counter() - started))
        expected = {304, 200} if call.again else {200, 404} if path.startswith("/jobs/") else {200}
        if answer.status_code not in expected:
            raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")
        if answer.status_code == 200:
            known = {"If-None-Match": answer.headers["ETag"]}
    return took[3:]


def run(quick: bool) -> list[dict[str, Any]]:
    """Fill a database and measure each call as three people: an admin, the busiest person, one with a few jobs."""
    many = 100_000 if quick else 1_000_000
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data", "--port", "0") as cloud:
        superuser = create_engine(superuser_url(cloud.data_dir / "postgres", "spotmill"))
        say(f"lists: {many:,} jobs are written")
        started = time.monotonic()
        fill(superuser, many)
        rows = [_row(f"{many:,} jobs written", time.monotonic() - started, "s")]
        with superuser.connect() as connection:
            asked = calls(connection, many)
            pauses.pause(connection, by=ADMIN)  # in the cloud, the VMs of the open run have processors of their own
            connection.commit()
        superuser.dispose()
        return rows + lists(cloud, asked)


def lists(cloud: Cloud, asked: Sequence[Call]) -> list[dict[str, Any]]:
    """Measure calls of the web service on a cloud that has its jobs; its queue is paused and moves again at the end."""
    rows = []
    iap = Iap(cloud.data_dir)
    with served(cloud, iap) as url, requests.Session() as session:
        until = time.monotonic() + _WARM_SECONDS  # the service still loads its clients
        while time.monotonic() < until:
            session.get(f"{url}/queue", headers={ASSERTION_HEADER: iap.assertion(ADMIN)}, timeout=60)
        for call in asked:
            say(f"lists: {call.name}")
            for who, email in (("admin", ADMIN), ("busiest person", BUSIEST), ("another", ANOTHER)):
                took = measure(session, url, call, {ASSERTION_HEADER: iap.assertion(email)})
                p95, median = statistics.quantiles(took, n=20)[-1], statistics.median(took)
                rows.append(_row(f"{call.name}, {who}: p95 (p50 {median:.1f} ms)", p95, "ms", f"<= {_TARGET_MS}"))
        admin = {ASSERTION_HEADER: iap.assertion(ADMIN)}
        session.post(f"{url}/queue/resume", headers=admin, timeout=60).raise_for_status()
        rows += _retry(session, url, admin)
    return rows


def _retry(session: requests.Session, url: str, headers: dict[str, str]) -> list[dict[str, Any]]:
    """Retry all that failed, as the page does."""
    took, queued, cursor = [], 0, ""
    while True:
        started = time.perf_counter()
        answer = session.post(f"{url}/jobs/retry", json={"cursor": cursor}, headers=headers, timeout=60)
        took.append(time.perf_counter() - started)
        answer.raise_for_status()
        said = answer.json()
        queued += said["queued"] + said["refused"]
        cursor = said["next_cursor"]
        if not cursor:
            break
    return [
        _row(f"retry of all {queued:,} failed", sum(took), "s"),
        _row("longest of its requests", max(took), "s"),
    ]


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "lists", "name": name, "value": round(value, 1), "unit": unit, "target": target}
