"""What holds for every module: its form, its own tests, and the examples of its README."""

import re
import subprocess
from collections.abc import Callable

import pytest

from tests.terraform.conftest import Planner
from tests.terraform.terraform import REPOSITORY, Tree, Workspace

TERRAFORM = REPOSITORY / "terraform"
MODULES = sorted(path.parent.name for path in TERRAFORM.glob("modules/*/main.tf"))
PLACES = [*(["."] if (TERRAFORM / "main.tf").exists() else []), *(f"modules/{name}" for name in MODULES)]
_EXAMPLE = re.compile(r"^```hcl\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Return every example in a README of a module as (name, code)."""
    found = []
    for name in MODULES:
        readme = TERRAFORM / "modules" / name / "README.md"
        codes = _EXAMPLE.findall(readme.read_text()) if readme.exists() else []
        found += [(f"{name}-{number}", code) for number, code in enumerate(codes, start=1)]
    return found


def test_format(tree: Tree) -> None:
    """Every file is as `terraform fmt` writes it."""
    done = subprocess.run(
        [tree.terraform, "fmt", "-check", "-diff", "-recursive", TERRAFORM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("place", PLACES)
def test_valid(place: str, workspace: Callable[[str], Workspace]) -> None:
    """Every module fits the provider's schema, without a warning."""
    workspace(place).validate()


@pytest.mark.parametrize("place", PLACES)
def test_own_tests(place: str, workspace: Callable[[str], Workspace]) -> None:
    """Every module has tests of its own, and they pass."""
    said = workspace(place).test()
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", said), said


@pytest.mark.parametrize("name", MODULES)
def test_files(name: str) -> None:
    """Every module has the files that a reader looks for; its variables are in order and complete."""
    module = TERRAFORM / "modules" / name
    wanted = {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"}
    assert wanted <= {path.name for path in module.iterdir()}
    text = (module / "variables.tf").read_text()
    variables = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL)
    names = [variable for variable, _ in variables]
    assert names == sorted(names)
    for variable, body in variables:
        for word in ("description", "type", "nullable"):
            assert re.search(rf"^  {word}\s*=", body, re.MULTILINE), f"{variable} has no {word}"
    assert 'version = ">= 7.21, < 8"' in (module / "versions.tf").read_text()


@pytest.mark.parametrize("name", MODULES)
def test_readme(name: str) -> None:
    """Every README has an example."""
    assert any(example.startswith(f"{name}-") for example, _ in examples())


@pytest.mark.parametrize(("name", "code"), examples(), ids=[name for name, _ in examples()])
def test_example(name: str, code: str, tree: Tree, plan: Planner) -> None:
    """Every example of a README can be planned as it stands."""
    assert plan(tree.add_example(name, code)).resources
