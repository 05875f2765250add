"""Who may do what: the grants of a plan, and the table in ``terraform/iam.yaml`` that they are compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from tests.terraform.terraform import PROJECT_NUMBER, REPOSITORY, Plan

TABLE = REPOSITORY / "terraform" / "iam.yaml"
#: The names of the deployment that plans of the tests make.
MILL = {"project": "mill", "number": PROJECT_NUMBER, "name": "spotmill", "person": "group:team@example.com"}
#: What a resource of grants calls the thing that it is about; a project is called by none of these.
_NAMES = (
    "bucket",
    "cloud_run_service_name",
    "name",
    "repository",
    "secret_id",
    "service_account_id",
    "subscription",
    "topic",
)


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One member's role on one thing. ``condition`` is an expression, or empty."""

    member: str
    role: str
    type: str
    name: str
    condition: str


def planned(plan: Plan) -> list[Grant]:
    """Return all grants of a plan, sorted."""
    return sorted(
        _grant(resource.type, resource.values)
        for resource in plan.resources.values()
        if resource.type.endswith("_iam_member")
    )


def planned_roles(plan: Plan) -> dict[str, list[str]]:
    """Return the permissions of the custom roles of a plan, by full name."""
    roles = plan.of("google_project_iam_custom_role").values()
    return {f"projects/mill/roles/{role['role_id']}": sorted(role["permissions"]) for role in roles}


def _grant(kind: str, values: dict[str, Any]) -> Grant:
    what = kind.removeprefix("google_").removesuffix("_iam_member")
    name = next((values[key] for key in _NAMES if key in values), values.get("project", ""))
    conditions = [condition["expression"] for condition in values.get("condition", ())]
    return Grant(values["member"], values["role"], what, name, "".join(conditions))


def read(path: Path = TABLE, names: Mapping[str, str] = MILL) -> dict[str, Any]:
    """Return a table, filled with the names of a deployment."""
    table: dict[str, Any] = yaml.safe_load(Template(path.read_text(encoding="utf-8")).substitute(names))
    return table


def rows(names: Mapping[str, str] = MILL) -> list[tuple[Grant, dict[str, str]]]:
    """Return the grants of the table in its order, each with its row: ``why``, and perhaps ``option`` and ``if``."""
    table = read(names=names)
    roles = {short: _full(short, names) for short in table["roles"]}
    return [
        (
            Grant(
                table["members"].get(row["member"], row["member"]),
                roles.get(row["role"], row["role"]),
                row["type"],
                row["name"],
                table["conditions"][row["if"]].strip() if "if" in row else "",
            ),
            row,
        )
        for row in table["grants"]
    ]


def written(options: bool, names: Mapping[str, str] = MILL) -> list[Grant]:
    """Return the grants of the table, sorted; with ``options`` those that only an option makes, too."""
    return sorted(grant for grant, row in rows(names) if options or "option" not in row)


def written_roles(names: Mapping[str, str] = MILL) -> dict[str, list[str]]:
    """Return the permissions of the custom roles of the table, by full name."""
    return {_full(short, names): sorted(role["permissions"]) for short, role in read(names=names)["roles"].items()}


def _full(role: str, names: Mapping[str, str]) -> str:
    return f"projects/{names['project']}/roles/{names['name']}_{role}"
