"""Who may do what: the grants of a plan, and the table in ``terraform/iam.yaml`` that they are compared with."""

from dataclasses import dataclass
from string import Template
from typing import Any

import yaml

from tests.terraform.terraform import PROJECT_NUMBER, REPOSITORY, Plan

TABLE = REPOSITORY / "terraform" / "iam.yaml"
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


def _table() -> dict[str, Any]:
    filled = Template(TABLE.read_text()).substitute(
        project="mill", number=PROJECT_NUMBER, name="spotmill", person="group:team@example.com"
    )
    table: dict[str, Any] = yaml.safe_load(filled)
    return table


def written(options: bool) -> list[Grant]:
    """Return the grants of the table, sorted; with ``options`` those that only an option makes, too."""
    table = _table()
    roles = {short: f"projects/mill/roles/spotmill_{short}" for short in table["roles"]}
    return sorted(
        Grant(
            table["members"].get(row["member"], row["member"]),
            roles.get(row["role"], row["role"]),
            row["type"],
            row["name"],
            table["conditions"][row["if"]].strip() if "if" in row else "",
        )
        for row in table["grants"]
        if options or "option" not in row
    )


def written_roles() -> dict[str, list[str]]:
    """Return the permissions of the custom roles of the table, by full name."""
    return {
        f"projects/mill/roles/spotmill_{short}": sorted(role["permissions"])
        for short, role in _table()["roles"].items()
    }
