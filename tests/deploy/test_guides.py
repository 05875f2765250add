"""The guides, line by line: each command runs (against stand-ins for gcloud and terraform)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.conftest import deployed
from tests.deploy.programs import StandIns

ROOT = Path(__file__).parents[2]
GUIDES = ("deploy", "operations", "upgrade")


def text_of(guide: str) -> str:
    return (ROOT / "docs" / f"{guide}.md").read_text()


def blocks() -> list[tuple[str, str]]:
    """Guide and text of each block of commands."""
    return [
        (guide, block)
        for guide in GUIDES
        for block in re.findall(r"^```sh\n(.*?)^```$", text_of(guide), re.DOTALL | re.MULTILINE)
    ]


@pytest.mark.parametrize(("guide", "block"), blocks(), ids=[f"{g}-{i}" for i, (g, _) in enumerate(blocks())])
def test_every_command_runs(guide: str, block: str, cloud: StandIns, tmp_path: Path) -> None:
    """Each block is run by a shell that stops at the first failure, with make itself and a Python without Spotmill."""
    cloud.answer("^git ", "")
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("Makefile", ".dockerignore", "cloudbuild.yaml", "terraform"):
        (copy / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "deploy", copy / "deploy")  # where variables are written
    deployed(cloud, copy)
    for name in ("git", "xdg-open"):
        program = cloud.folder / name
        program.write_text("#!/bin/sh\necho 0123456789abcdef0123456789abcdef01234567\n")
        program.chmod(0o755)
    # Blocks about the checkout itself have their own tests.
    lines = [line for line in block.splitlines() if not line.startswith(("make cost", "make lock", "make test"))]
    commands = "\n".join(lines).replace("make destroy PROJECT=my-mill", "make destroy PROJECT=my-mill <<< my-mill")
    script = "set -euo pipefail\n" + commands
    environment = {**os.environ, "PYTHON": sys.executable, "KEY": "secret", "BROWSER": "true", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, f"{guide}: {block}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"


def test_every_alert_has_its_runbook() -> None:
    """An alert's key is a heading of the operations page, and each such heading is an alert."""
    alerts = (ROOT / "terraform" / "modules" / "observability" / "alerts.tf").read_text()
    keys = set(re.findall(r"^    ([a-z-]+) = \{$", alerts, re.MULTILINE))
    headings = set(re.findall(r"^### ([a-z-]+)$", text_of("operations"), re.MULTILINE))
    assert keys
    assert keys == headings


def test_links_between_pages_lead_somewhere() -> None:
    """Files exist, and headings that links name."""
    broken = []
    for page in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "terraform").rglob("*.md")),
    ]:
        for target in re.findall(r"\]\((?!https?://|mailto:)([^)\s]+)\)", page.read_text()):
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not file.exists() or (anchor and file.suffix == ".md" and anchor not in _anchors(file)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def _anchors(page: Path) -> set[str]:
    """Headings as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
