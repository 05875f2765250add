"""Decompression bombs cost next to nothing, and what was not asked for is neither loaded nor imported."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bombs import BOMBS, exif_overlap
from tests.memory_job import MemoryJob
from tests.photos import photograph
from tests.raw_files import LONG, SHORT, Tags, write_dng
from worker.pipelines.image import image
from worker.pipelines.images.libvips import load_libvips

MEGABYTE = 2**20

#: Runs the pipeline over one file and says what came of it, the memory it took beyond a warm child's, and in all.
CHILD = r"""
import json, re, sys
from pathlib import Path
from tests.memory_job import MemoryJob
from tests.photos import photograph
from tests.raw_files import LONG, SHORT, Tags, write_dng
from worker.pipelines.image import image, warm_up
warm_up()
def peak():
    # Not getrusage: its peak is inherited from the process that started this one.
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before, path = peak(), Path(sys.argv[1])
try:
    image(MemoryJob(path, path.parent))
    outcome = "rendered"
except Exception as error:
    outcome = f"{type(error).__name__}: {error}"
print(json.dumps({"outcome": outcome, "extra_bytes": peak() - before, "bytes": peak()}))
"""


def raw_bomb(side: int, extra: Tags | None = None) -> bytes:
    """Make a DNG of 200 KB whose sensor claims to be a square of so many pixels."""
    claims: Tags = {256: (LONG, [side]), 257: (LONG, [side]), 278: (LONG, [side])}
    return write_dng(photograph("coffee").resize((400, 260)), sensor_extra={**claims, **(extra or {})})


#: The last one has three colours for each pixel, and is within the limit of pixels.
RAW_BOMBS = {
    "pixels.dng": lambda: raw_bomb(60000),
    "impossible.dng": lambda: raw_bomb(2**31 - 1),
    "empty.dng": lambda: raw_bomb(10000),
    "whole.dng": lambda: raw_bomb(15000, {262: (SHORT, [34892]), 277: (SHORT, [3]), 258: (SHORT, [16, 16, 16])}),
}


def measure(path: Path) -> dict[str, Any]:
    """Render a file in a process of its own."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(path)],
        capture_output=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(root)},
        timeout=60,
    )
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    """A small file that claims or unpacks to gigabytes is refused in words, within 200 MB."""
    path = tmp_path / name
    path.write_bytes(BOMBS[name]())
    measured = measure(path)
    assert measured["outcome"].startswith("PermanentError: This "), measured
    if name.startswith(("pixels", "impossible")):
        assert "too large" in measured["outcome"]
        assert "megapixels, and the limit is 250." in measured["outcome"]
    if name.startswith("whole"):
        assert "GB of memory at once, and the limit is 1.0 GB." in measured["outcome"]
    assert measured["bytes"] < 200 * MEGABYTE
    assert measured["extra_bytes"] < 100 * MEGABYTE


@pytest.mark.parametrize("name", RAW_BOMBS)
def test_raw_bombs_are_refused_in_little_memory(tmp_path: Path, name: str) -> None:
    """A raw file that claims more than there is, or than may be, costs what loading LibRaw costs."""
    path = tmp_path / name
    path.write_bytes(RAW_BOMBS[name]())
    measured = measure(path)
    assert measured["outcome"].startswith("PermanentError: This "), measured
    if name == "pixels.dng":
        assert "megapixels, and the limit is 250." in measured["outcome"]
    if name == "whole.dng":
        assert "GB of memory at once, and the limit is 1.0 GB." in measured["outcome"]
    assert measured["bytes"] < 400 * MEGABYTE, measured


def test_overlapping_exif_is_read_in_little_memory(tmp_path: Path) -> None:
    """A block of EXIF that unpacks to 240 GB for a careless reader costs nothing, and the picture is rendered."""
    path = tmp_path / "exif.png"
    path.write_bytes(exif_overlap())
    measured = measure(path)
    assert measured["outcome"] == "rendered"
    assert measured["bytes"] < 200 * MEGABYTE


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".svg", b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
        (".csv", b"1,2\n3,4\n"),
        (".mat", b"2 2\n1 2\n3 4\n"),
    ],
)
def test_other_loaders_of_libvips_are_blocked(tmp_path: Path, suffix: str, data: bytes) -> None:
    """Asked past our sniffing, libvips itself opens nothing but the promised formats."""
    path = tmp_path / f"file{suffix}"
    path.write_bytes(data)
    vips = load_libvips()
    with pytest.raises(vips.Error):
        vips.Image.new_from_file(str(path))
    loader = {".svg": "svgload", ".csv": "csvload", ".mat": "matrixload"}[suffix]
    with pytest.raises(vips.Error):
        getattr(vips.Image, loader)(str(path))


def test_one_thread_and_no_cache() -> None:
    """A child takes one core and keeps nothing of the picture before."""
    vips = load_libvips()
    assert vips.concurrency_get() == int(os.environ.get("VIPS_CONCURRENCY", "1"))
    assert vips.cache_get_max() == 0


def test_importing_the_pipeline_imports_no_codec() -> None:
    """Whoever only asks which pipelines exist needs neither libvips nor libheif nor Pillow."""
    script = (
        "import sys; from spotmill.pipeline import installed_pipelines; installed_pipelines();"
        "print(sorted({'pyvips', 'pillow_heif', 'PIL', 'numpy'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_job_leaves_only_its_renditions_behind(tmp_path: Path) -> None:
    """Scratch holds the three renditions and no temporary file."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = tmp_path / "photo.png"
    path.write_bytes(exif_overlap())
    image(MemoryJob(path, scratch))
    assert sorted(file.name for file in scratch.iterdir() if file.is_file()) == [
        "thumbnail.png",
        "web-1600.webp",
        "web-320.webp",
    ]
