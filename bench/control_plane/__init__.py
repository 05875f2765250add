"""The control plane: how many no-op jobs one worker with eight slots claims, runs and commits in Postgres each second.

Beside ours run, on the same Postgres and in the same minutes, the queues that people would use instead. All jobs are
queued before the worker starts; the rate is that between the first and the last commit, by the database's own times.
Ours pays for more than the others: each job goes through Pub/Sub, runs in a process of its own without credentials, and
leaves a row for its attempt.
"""

import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from bench.control_plane import ours
from bench.control_plane.measure import Rate, read
from bench.progress import say
from tests.cloud import postgres

_PEERS = Path(__file__).parent / "peers"
#: Each peer: its program, and what its tables say of finished jobs.
_COUNTING = {
    "celery": "SELECT count(*), min(date_done), max(date_done) FROM celery_taskmeta WHERE status = 'SUCCESS'",
    "procrastinate": "SELECT count(*), min(at), max(at) FROM procrastinate_events WHERE type = 'succeeded'",
    "awa": "SELECT count(*), min(finalized_at), max(finalized_at) FROM awa.jobs WHERE state = 'completed'",
    "pgqueuer": "SELECT count(*), min(created), max(created) FROM pgqueuer_log WHERE status = 'successful'",
}
_SLOTS = 8
#: Seconds that one peer may take.
_PATIENCE = 600


def run(quick: bool) -> list[dict[str, Any]]:
    """Take turns, so that whatever else the machine does hits all of them; each figure is the median of the rounds."""
    jobs, rounds = (2_000, 1) if quick else (10_000, 3)
    python = _peers_python()
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # Postgres has a user of its own
        with postgres(Path(folder) / "postgres") as server:
            for number in range(rounds):
                scratch = Path(folder) / f"round-{number}"
                scratch.mkdir()
                rates.setdefault("spotmill", []).append(
                    ours.measure(scratch, _database(server), jobs, _SLOTS).per_second
                )
                say(f"control_plane: spotmill, {round(rates['spotmill'][-1]):,} jobs/s")
                for peer in _COUNTING:
                    rates.setdefault(peer, []).append(_measure(peer, python, _database(server), jobs).per_second)
                    say(f"control_plane: {peer}, {round(rates[peer][-1]):,} jobs/s")
    median = {name: statistics.median(values) for name, values in rates.items()}
    best = max(value for name, value in median.items() if name != "spotmill")
    rows = [_row(f"{name}, {jobs:,} no-op jobs, {_SLOTS} slots", value, "jobs/s") for name, value in median.items()]
    return [*rows, _row("spotmill / the best of the others", median["spotmill"] / best, "ratio", "> 1")]


def _measure(peer: str, python: Path, url: str, jobs: int) -> Rate:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    command = [str(python), str(_PEERS / f"{peer}_peer.py"), plain, str(jobs), str(_SLOTS)]
    subprocess.run(command, check=True, timeout=_PATIENCE, stdout=subprocess.DEVNULL, cwd=_PEERS)
    engine = create_engine(url)
    try:
        rate = read(engine, _COUNTING[peer])
    finally:
        engine.dispose()
    if rate.jobs != jobs:
        raise RuntimeError(f"{peer} finished {rate.jobs} of {jobs} jobs")
    return rate


def _database(server: str) -> str:
    """Make a database of its own for one measurement."""
    name = f"bench_{uuid.uuid4().hex[:8]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def _peers_python() -> Path:
    """Return the interpreter of the peers' environment; made once for each lock."""
    lock = _PEERS / "requirements.txt"
    place = Path(".bench") / f"peers-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        say("control_plane: setting up the peers (about a minute the first time)")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(place)], check=True)
        install = [
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--quiet",
            "--require-hashes",
            "-r",
            str(lock),
        ]
        subprocess.run([str(python), *install], check=True, env=os.environ | {"PIP_NO_INPUT": "1"})
        (place / "ready").touch()
    return python.absolute()


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "control_plane", "name": name, "value": round(value, 2), "unit": unit, "target": target}
