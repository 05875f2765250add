"""The product's main path, timed: start, upload to job, Run to first job, a run that loses VMs, stop."""

import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.mill import Mill, copies
from bench.progress import say
from tests.cloud import Cloud, launch, running, wait_for, wait_until_ready
from tests.photos import large_photographs, photographs

_PATIENCE = 600


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure what the person at the page feels."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        rows = _starts(scratch / "data")
        photos = [path for path in photographs() if path.suffix == ".jpg"]
        paths = copies(list(large_photographs(scratch, 8)), scratch, 40 if quick else 200)
        # With no notice a photograph at hand is handed over; with 30 s it would simply be finished.
        environment = {"SPOTMILL_PREEMPTION_NOTICE_SECONDS": "0"}
        with running(scratch / "data", "--port", "0", "--max-workers", "2", environment=environment) as cloud:
            mill = Mill(cloud)
            first = copies(photos, scratch, 20 if quick else 100)
            say("story: uploads, one at a time")
            rows += _announcements(mill, first)
            mill.upload_all(paths)
            total = len(first) + len(paths)
            wait_for(lambda: mill.counts()["queued"] >= total, 120)
            say(f"story: a run over {total} photographs that loses VMs")
            rows += _eventful_run(mill, cloud, total)
    return rows


def _starts(data_dir: Path) -> list[dict[str, Any]]:
    """Start twice, stop twice: the first start makes everything, the second finds it."""
    rows = []
    for title, target in (("first start, packages installed", None), ("second start", "<= 10")):
        started = time.monotonic()
        cloud = launch(data_dir, "--port", "0")
        wait_until_ready(cloud)
        wait_for(lambda said=cloud: re.search(r"ready", said.output.read_text()))  # type: ignore[misc]
        rows.append(_row(f"{title} until the URL is printed", time.monotonic() - started, "s", target))
        processes, started = cloud.processes(), time.monotonic()
        cloud.stop()
        wait_for(lambda left=processes: not any(p.is_running() for p in left))  # type: ignore[misc]
        rows.append(_row("Ctrl-C until no process is left", time.monotonic() - started, "s", "<= 5"))
        (data_dir / "local.env").unlink(missing_ok=True)
    return rows


def _announcements(mill: Mill, paths: list[Path]) -> list[dict[str, Any]]:
    """Time from the storage's answer to the uploader until the job is listed, one upload at a time."""
    waits = []
    for path in paths:
        upload = mill.upload(path, "image/jpeg")
        wait_for(lambda name=upload.name: mill.visible(name), 30)  # type: ignore[misc]
        waits.append(time.monotonic() - upload.done)
    p95 = statistics.quantiles(waits, n=20)[-1]
    return [_row(f"finalize to GET /jobs, p95 of {len(waits)}", p95, "s", "<= 1")]


def _eventful_run(mill: Mill, cloud: Cloud, total: int) -> list[dict[str, Any]]:
    """Run; preempt one VM and cut the power of another in the middle; count results and the time to go on elsewhere."""
    pressed = time.monotonic()
    mill.run(2)
    wait_for(lambda: mill.counts()["running"] or mill.counts()["succeeded"], 60)
    first = time.monotonic() - pressed
    wait_for(lambda: mill.counts()["succeeded"] >= total // 4, _PATIENCE)
    instance, zone = wait_for(lambda: _at_work(mill), 60)
    project = cloud.settings.project
    cloud.instances.simulate_maintenance_event(project=project, zone=zone, instance=instance)
    wait_for(lambda: mill.counts()["succeeded"] >= total // 2, _PATIENCE)
    instance, zone = wait_for(lambda: _at_work(mill), 60)
    cloud.instances.reset(project=project, zone=zone, instance=instance)
    counts = mill.wait_until_over(_PATIENCE)
    handovers = [
        float(row.seconds)
        for row in mill.rows("""
            SELECT extract(epoch FROM b.started_at - a.ended_at) AS seconds FROM attempts a
            JOIN attempts b ON b.job_id = a.job_id AND b.attempt = a.attempt + 1 WHERE a.outcome = 'preempted'""")
    ]
    outages = [
        float(row.seconds)
        for row in mill.rows("""
            SELECT extract(epoch FROM b.started_at - a.started_at) AS seconds FROM attempts a
            JOIN attempts b ON b.job_id = a.job_id AND b.attempt = a.attempt + 1 WHERE a.outcome <> 'preempted'""")
    ]
    [odd] = mill.rows("""
        SELECT count(*) AS n FROM (SELECT j.id FROM jobs j LEFT JOIN artifacts a ON a.job_id = j.id
        GROUP BY j.id HAVING count(a.id) <> 3 OR count(DISTINCT a.attempt) <> 1) AS wrong""")
    rows = [
        _row("Run to first job running", first, "s", "<= 3"),
        _row(f"photographs that succeeded, of {total}", counts["succeeded"], "", str(total)),
        _row("photographs without exactly one set of artifacts", odd.n, "", "0"),
        _row("jobs released by the preempted VM", len(handovers), ""),
        _row("attempts lost by the power cut", len(outages), ""),
    ]
    if handovers:
        rows.append(_row("lease released to running elsewhere, longest", max(handovers), "s", "<= 5"))
    if outages:
        rows.append(_row("start of the lost attempt to its successor's, longest", max(outages), "s"))
    return rows


def _at_work(mill: Mill) -> tuple[str, str] | None:
    """Find a VM that holds a job right now."""
    rows = mill.rows("""
        SELECT w.instance, w.zone FROM jobs j JOIN workers w ON w.id = j.worker
        WHERE j.status = 'running' AND w.state <> 'gone' ORDER BY j.started_at DESC LIMIT 1""")
    return (rows[0].instance, rows[0].zone) if rows else None


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "story", "name": name, "value": round(value, 3), "unit": unit, "target": target}
