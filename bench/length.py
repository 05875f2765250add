"""What a worker takes for recordings of different lengths: its memory must not grow with them."""

import tempfile
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from bench.long_media import recording
from bench.mill import Mill
from bench.progress import say
from tests.cloud import Cloud, running, wait_for

#: Minutes of the recordings; the first one says what is there at any length.
_MINUTES = (20, 180)
_QUICK_MINUTES = (5, 20)
_PATIENCE = 7200
_LOOK_SECONDS = 0.25


class _Watch(threading.Thread):
    """Looks at the worker's memory again and again: the agent, its children, and what those started."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(daemon=True)
        self._cloud = cloud
        self._over = threading.Event()
        self.most_bytes = 0

    def run(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self.most_bytes = max(self.most_bytes, sum(_resident(process) for process in self._worker()))

    def stop(self) -> int:
        """End it; return the most bytes that were seen at once."""
        self._over.set()
        self.join()
        return self.most_bytes

    def _worker(self) -> list[psutil.Process]:
        for process in self._cloud.processes():
            with suppress(psutil.Error):
                if process.cmdline()[-2:] == ["spotmill", "worker"]:
                    return [process, *process.children(recursive=True)]
        return []


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def run(quick: bool) -> list[dict[str, Any]]:
    """Process one recording after the other, each in a mill of its own."""
    rows = []
    for minutes in _QUICK_MINUTES if quick else _MINUTES:
        say(f"length: a recording of {minutes} minutes")
        with tempfile.TemporaryDirectory() as folder:
            path = recording(Path(folder), minutes)
            with running(Path(folder) / "data", "--port", "0", "--max-workers", "1") as cloud:
                mill = Mill(cloud)
                sent = mill.upload(path, "audio/flac")
                wait_for(partial(mill.visible, sent.name), what="the recording is a job")
                watch = _Watch(cloud)
                watch.start()
                mill.run(1)
                begun = time.monotonic()
                counts = mill.wait_until_over(_PATIENCE)
                seconds = time.monotonic() - begun
                most = watch.stop()
                if counts["succeeded"] != 1:
                    raise RuntimeError(f"the recording of {minutes} minutes did not succeed: {counts}")
        rows.append(_row(f"{minutes} minutes: agent, children and programs, most at once", most / 1e6, "MB", "<= 2000"))
        rows.append(_row(f"{minutes} minutes: time", seconds, "s"))
    return rows


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "length", "name": name, "value": round(value, 1), "unit": unit, "target": target}
