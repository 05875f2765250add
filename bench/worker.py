"""The image pipeline through the whole worker (queue, storage, commit) against a bare libvips loop."""

import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench.image import bare_loop
from bench.mill import Mill, copies
from bench.progress import say
from tests.cloud import running
from tests.photos import large_photographs

#: Seconds that a round of the mill may take.
_PATIENCE = 600


def run(quick: bool) -> list[dict[str, Any]]:
    """Measure images per second of 24-megapixel photographs with as many worker processes as there are cores.

    The loop and the mill take turns, and each round yields one ratio, so that other work on the machine hits both. The
    mill is timed between its first and its last commits with all workers up: booting a VM is not processing images.
    """
    processes, count, rounds = os.cpu_count() or 1, 16 if quick else 60, 1 if quick else 3
    bare, mill = [], []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        originals = list(large_photographs(scratch, 8))
        paths = copies(originals, scratch, count)
        for number in range(rounds):
            say(f"worker: round {number + 1} of {rounds}, {count} photographs")
            bare.append(bare_loop(paths, processes))
            mill.append(_through_the_mill(paths, scratch / f"cloud-{number}", processes))
    ratio = statistics.median(m / b for m, b in zip(mill, bare, strict=True))
    return [
        _row(f"bare libvips loop, {processes} processes", statistics.median(bare), "images/s"),
        _row(f"whole worker, {processes} VMs of 1 slot", statistics.median(mill), "images/s"),
        _row("whole worker / bare loop (median of rounds)", ratio, "ratio", ">= 0.8"),
    ]


def _through_the_mill(paths: list[Path], data_dir: Path, workers: int) -> float:
    with running(data_dir, "--port", "0", "--max-workers", str(workers)) as cloud:
        mill = Mill(cloud)
        mill.upload_all(paths)
        mill.run(workers)
        counts = mill.wait_until_over(_PATIENCE)
        if counts["succeeded"] != len(paths):
            raise RuntimeError(f"not every photograph succeeded: {counts}")
        finished = mill.finished_seconds()
    # The first commits of each worker stand for "all are up"; from there on every commit counts.
    skipped = 2 * workers
    return (len(finished) - skipped) / (finished[-1] - finished[skipped - 1])


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "worker", "name": name, "value": round(value, 2), "unit": unit, "target": target}
