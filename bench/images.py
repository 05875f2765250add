"""How large the images are, and how long a cold start takes: from ``run`` until the first answer."""

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.progress import say
from tests.cloud import running
from tests.containers.conftest import IDENTITY
from tests.containers.engine import Engine, UnavailableError
from tests.containers.services import serving, told, web_service

_TARGETS = ("web", "dispatcher", "worker")


def run(quick: bool) -> list[dict[str, Any]]:
    """Build them, or take what is built; start each service some times, against a local cloud."""
    engine = Engine()
    try:
        engine.prepare()
    except UnavailableError as reason:
        print(reason)
        return []
    say("images: built, or taken as built")
    images = {target: engine.build(target, **IDENTITY) for target in _TARGETS}
    rows = [
        _row(f"{t}: size", image.size_bytes / 1e6, "MB", 250 if t != "worker" else "") for t, image in images.items()
    ]
    starts: dict[str, list[float]] = {"web": [], "dispatcher": []}
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "data", "--port", "0") as cloud:
        for number in range(3 if quick else 9):
            say(f"images: start {number + 1} of each service")
            began = time.monotonic()
            with web_service(images["web"], cloud, Path(folder)):
                starts["web"].append(time.monotonic() - began)
            began = time.monotonic()
            with serving(images["dispatcher"], told(cloud, "dispatcher")):
                starts["dispatcher"].append(time.monotonic() - began)
    return rows + [
        _row(f"{t}: cold start until the first answer", statistics.median(s), "s", 3) for t, s in starts.items()
    ]


def _row(name: str, value: float, unit: str, target: object) -> dict[str, Any]:
    return {"group": "images", "name": name, "value": value, "unit": unit, "target": target}
