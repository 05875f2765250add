"""Programs that check what Terraform and images are made of."""

import shutil
import sys
from pathlib import Path

import pytest


def program(name: str, package: str) -> str:
    """Return the path of a program, from this environment or from PATH; without it the test skips."""
    found = shutil.which(name, path=Path(sys.executable).parent) or shutil.which(name)
    if found is None:
        pytest.skip(f"There is no {name} here; {package} has it.")
    return found
