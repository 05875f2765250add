"""The example of a pipeline outside Spotmill, installed as an operator's image would have it."""

import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "contact-sheets"


def install(folder: Path) -> Path:
    """Install the example into a directory of its own, without a network; return the directory."""
    copy, target = folder / "copy", folder / "installed"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns(".venv", "*.egg-info", "build", "__pycache__"))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, "--target", str(target), str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return target
