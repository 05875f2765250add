"""The page's commands for the cloud run, against stand-ins for gcloud, terraform and docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.conftest import cloud, deployed, doors  # noqa: F401 - fixtures
from tests.deploy.programs import StandIns

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write-a-pipeline.md").read_text(encoding="utf-8")


def test_the_page_deploys_the_example(cloud: StandIns, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    """A worker with the package is built on the one that runs, pushed, and deployed with the images beside it."""
    [block] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("Makefile", "terraform", "examples"):
        (copy / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "deploy", copy / "deploy")  # where variables are written
    deployed(cloud, copy)
    docker = cloud.folder / "docker"
    docker.write_text(
        '#!/bin/sh\necho "docker $*" >> "$(dirname "$0")/docker-calls"\nfor last; do :; done\n'
        'if [ "$1" = build ]; then test -f "$last/Dockerfile"; fi\n'
    )
    docker.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{block}"],
        cwd=copy,
        env={**os.environ, "PYTHON": sys.executable, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert len((cloud.folder / "docker-calls").read_text().splitlines()) == 2
    calls = [call.text for call in cloud.calls()]
    assert any("images describe" in call and "worker:sheets-1" in call for call in calls)
    assert any("jobs execute spotmill-pipelines" in call for call in calls)
    assert not any("builds submit" in call for call in calls), "nothing is built over it"
