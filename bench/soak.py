"""``python -m bench.soak [--minutes 60]``: steady work for an hour; does any process grow?

Photographs and tiny jobs come all the time, a page is open, two workers run. Every ten seconds the memory that belongs
to each process alone (USS, as shared pages would be counted twice) is read; its trend after the first quarter, in which
caches fill, is a straight line through the readings.
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import psutil
import requests

from bench.mill import Mill, copies
from bench.progress import say
from tests.cloud import Cloud, running
from tests.photos import photographs

#: The processes that the product consists of, by what their command lines have in them.
_ROLES = {"agent": "-m spotmill worker", "web": "services.web.app", "dispatcher": "services.dispatcher.app"}
#: The guest of a VM and the masters of the servers do nothing; their memory is that of the interpreter.
_LEAST_MB = 20
_READ_SECONDS = 10.0
#: Uploads in a second: one photograph, the rest too tiny to be anything but queue.
_PER_SECOND = 4
#: Growth that counts as none, in percent of the process's memory in an hour.
_FLAT_PERCENT = 5.0


def main() -> None:
    """Work, read, and say how each process's memory went."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args().minutes
    # All in one run, and a child for each so many jobs, as in production.
    environment = {"SPOTMILL_WORKER_SLOTS": "2"}
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder) / "data", "--port", "0", "--max-workers", "2", environment=environment) as cloud,
    ):
        readings = _work(cloud, Path(folder), minutes * 60)
        done = Mill(cloud).counts()
    print(f"jobs: {done}")
    print(f"{'process':<12}{'start MB':>10}{'first quarter':>15}{'end MB':>10}{'trend MB/h':>12}{'percent/h':>11}")
    grew = False
    for (role, _pid), values in sorted(readings.items()):
        if len(values) < minutes * 60 / _READ_SECONDS / 2 or values[-1][1] < _LEAST_MB:
            continue  # it was replaced in between, or only starts and watches another
        later = values[len(values) // 4 :]
        slope = _slope(later) * 3600
        percent = 100 * slope / statistics.mean(megabytes for _, megabytes in later)
        grew |= percent > _FLAT_PERCENT
        first, quarter, last = values[0][1], later[0][1], values[-1][1]
        print(f"{role:<12}{first:>10.1f}{quarter:>15.1f}{last:>10.1f}{slope:>12.2f}{percent:>11.1f}")
    sys.exit("memory grows" if grew else 0)


def _work(cloud: Cloud, folder: Path, seconds: float) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """Keep the mill busy for so long; return (seconds, megabytes) for each process that lived."""
    mill, over = Mill(cloud), threading.Event()
    photos = [path for path in photographs() if path.suffix == ".jpg"]
    nothing = folder / "nothing.bin"
    nothing.write_bytes(b"x")
    readings: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    people = [threading.Thread(target=_send, args=(mill, folder, photos, nothing, over)),
              threading.Thread(target=_look, args=(mill, over))]  # fmt: skip
    mill.run(2)
    for person in people:
        person.start()
    begun = time.monotonic()
    try:
        while (now := time.monotonic() - begun) < seconds:
            for process in cloud.processes():
                with suppress(psutil.Error):
                    line = " ".join(process.cmdline()).partition("--vm-command")[0]
                    role = next((role for role, part in _ROLES.items() if part in line), None)
                    if role is not None:
                        readings[role, process.pid].append((now, process.memory_full_info().uss / 1e6))
            say(f"soak: {mill.counts()}")
            time.sleep(_READ_SECONDS)
    finally:
        over.set()
        for person in people:
            person.join()
    return readings


def _send(mill: Mill, folder: Path, photos: list[Path], nothing: Path, over: threading.Event) -> None:
    number = 0
    while not over.wait(1 / _PER_SECOND):
        number += 1
        try:
            if number % _PER_SECOND:
                mill.upload(nothing, "image/jpeg")
            else:
                [link] = copies([photos[number % len(photos)]], folder, 1)
                mill.upload(link, "image/jpeg")
                link.unlink()
        except requests.RequestException as error:
            say(f"upload: {error}")


def _look(mill: Mill, over: threading.Event) -> None:
    """Keep the page open; and Run pressed, as it would be when the queue was empty for a while."""
    while not over.wait(1):
        with suppress(requests.RequestException):
            requests.get(f"{mill.api}/jobs", params={"limit": 50}, timeout=30)
            if requests.get(f"{mill.api}/queue", timeout=30).json().get("run") is None:
                mill.run(2)


def _slope(values: list[tuple[float, float]]) -> float:
    return statistics.linear_regression([x for x, _ in values], [y for _, y in values]).slope


if __name__ == "__main__":
    main()
