"""Fixtures of the Terraform tests; without a Terraform that can initialise a module, all of them skip.

``workspace("modules/queue")`` is an initialised copy: ``.validate()``, ``.test()``.
``plan("modules/queue", project="p", …)`` is the plan with these variables: ``.of(TYPE)``, ``.one(ADDRESS)``,
``.outputs``; "" is the root module. Both do their work once for each test process. ``smallest`` and ``everything`` are
plans of the root module.
"""

import json
import os
from collections.abc import Callable
from typing import Any, Protocol

import pytest

from tests.terraform.deployments import EVERYTHING, SMALLEST
from tests.terraform.terraform import Plan, TerraformError, Tree, Workspace, find_terraform


class Planner(Protocol):
    """Plans a directory below ``terraform/`` with variables."""

    def __call__(self, directory: str, **variables: Any) -> Plan: ...


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A copy of the modules that all test processes share."""
    terraform = find_terraform()
    if terraform is None:
        pytest.skip("There is no terraform here: neither ../shared/terraform-offline nor one on PATH.")
    base = tmp_path_factory.getbasetemp()
    copy = Tree(terraform, (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "terraform")
    try:
        copy.workspace("modules/identity")
    except TerraformError as error:
        if "Failed to query available provider packages" not in str(error):
            raise
        pytest.skip("terraform cannot fetch the google provider here: no registry answers.")
    return copy


@pytest.fixture(scope="session")
def workspace(tree: Tree) -> Callable[[str], Workspace]:
    """Initialised directories."""
    return tree.workspace


@pytest.fixture(scope="session")
def plan(workspace: Callable[[str], Workspace], tmp_path_factory: pytest.TempPathFactory) -> Planner:
    """Plans, made once for the same variables."""
    made: dict[tuple[str, str], Plan] = {}

    def planned(directory: str, **variables: Any) -> Plan:
        key = (directory, json.dumps(variables, sort_keys=True))
        if key not in made:
            place = workspace(directory)
            if not place.stands_in:
                pytest.skip("A plan with the real google provider asks Google; these need the stand-in.")
            made[key] = place.plan(variables, tmp_path_factory.mktemp("plan"))
        return made[key]

    return planned


@pytest.fixture(scope="session")
def smallest(plan: Planner) -> Plan:
    """What is made if nothing is said that need not be said."""
    return plan("", **SMALLEST)


@pytest.fixture(scope="session")
def everything(plan: Planner) -> Plan:
    """What is made if every variable has another value than its default."""
    return plan("", **EVERYTHING)
