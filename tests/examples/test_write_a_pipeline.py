"""The page about writing pipelines shows the example as it is, and the example is what it promises."""

import os
import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.example_package import EXAMPLE, install

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write-a-pipeline.md").read_text(encoding="utf-8")

#: Blocks of the page that are files of the example, or parts of them: "`file`:" and then the block.
QUOTED = re.findall(r"`([\w./-]+)`:\n\n```\w+\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_quotes_the_example() -> None:
    """Every part of a pipeline is shown, from its file."""
    assert {name for name, _ in QUOTED} == {
        "contact_sheets/pipeline.py",
        "contact_sheets/archive.py",
        "pyproject.toml",
        "tests/test_contact_sheets.py",
        "Dockerfile",
    }


@pytest.mark.parametrize(("name", "block"), QUOTED, ids=[f"{n}-{name}" for n, (name, _) in enumerate(QUOTED)])
def test_what_the_page_shows_is_in_the_file(name: str, block: str) -> None:
    """A line of three dots leaves something out; all else stands in the file, line by line and in this order."""
    content, at = (EXAMPLE / name).read_text(encoding="utf-8"), 0
    for part in re.split(r"^ *\.\.\.\n", block, flags=re.MULTILINE):
        found = content.find(part, at)
        assert found >= 0, f"{name} does not contain (after what was shown before):\n{part}"
        at = found + len(part)


def test_the_package_installs_and_passes_its_tests(tmp_path: Path) -> None:
    """Installed beside Spotmill it offers one pipeline; its own tests pass against what was installed."""
    target = install(tmp_path)
    [found] = distributions(path=[str(target)])
    assert [(entry.group, entry.name) for entry in found.entry_points] == [("spotmill.pipelines", "contact-sheets")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(target), str(ROOT)))}
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*tests, str(EXAMPLE / "tests")], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    listed = subprocess.run(
        [sys.executable, "-m", "spotmill", "pipelines", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "contact-sheets\t1\tapplication/zip, application/x-zip-compressed" in listed.stdout.splitlines()


@pytest.mark.parametrize("folder", [ROOT, EXAMPLE])
def test_its_tests_run_in_the_clone(folder: Path) -> None:
    """As its README says: not installed, from the clone's root or its own folder, with no plugin that only we have."""
    # The root is on the path as in an environment into which Spotmill is installed from the clone.
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pytest_ = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:timeout", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*pytest_, os.path.relpath(EXAMPLE, folder)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_starting_a_worker_does_not_load_the_examples_libraries(tmp_path: Path) -> None:
    """A module that names a pipeline imports nothing heavy."""
    script = "import sys, contact_sheets.pipeline; print('PIL' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(EXAMPLE), str(ROOT)))}
    done = subprocess.run(
        [sys.executable, "-B", "-c", script], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "False"


def test_the_image_puts_it_where_workers_look() -> None:
    """The example's Dockerfile copies into the directory that the worker image looks into, nothing else."""
    ours = (ROOT / "images" / "Dockerfile").read_text(encoding="utf-8")
    theirs = (EXAMPLE / "Dockerfile").read_text(encoding="utf-8")
    place = re.search(r"^ && echo (\S+) > .*/code\.pth", ours, re.MULTILINE)
    assert place is not None
    final = theirs[theirs.index("FROM ${WORKER}") :].splitlines()
    assert final == ["FROM ${WORKER}", f"COPY --from=package /pipeline {place[1]}"]
