"""The deployer's grants, derived from what Terraform makes: each kind of resource needs the role that makes it."""

from collections.abc import Iterable, Sequence

from tests.terraform.grants import Grant
from tests.terraform.permissions import Permissions
from tests.terraform.terraform import Plan

_MODULE = "terraform/modules/delivery/deployer.tf"
_HERE = "`deployer` of tests/terraform/permissions.yaml"


def check(known: Permissions, plans: Iterable[Plan], grants: Sequence[Grant]) -> list[str]:
    """Compare the deployer's grants with the kinds of resources in ``plans``; return what is wrong.

    ``grants`` are those of one plan: its accounts are those that the deployer hands out.
    """
    said = known.table["deployer"]
    member = known.members[said["account"]]
    kinds = {resource.type for plan in plans for resource in plan.resources.values()}
    kinds -= {"google_service_account_iam_member"}  # made with roles on single accounts: check_accounts
    makes = {kind: _full(known, role) for kind, role in said["makes"].items()}
    wrong = [
        f"Terraform makes a {kind}. Say in {_HERE} with which role of the deployer."
        for kind in sorted(kinds - set(makes) - set(said["by_hand"]))
    ]
    wrong += [
        f"{_HERE} has {kind}, which no plan makes. Take it out."
        for kind in sorted((set(makes) | set(said["by_hand"])) - kinds)
    ]
    held = {grant.role for grant in grants if grant.member == member and grant.type == "project"}
    wanted = {role for kind, role in makes.items() if kind in kinds} | set(said["besides"])
    wrong += [
        f"The deployer has no {role}, and makes {_kinds(makes, role)}. Add it to {_MODULE}."
        for role in sorted(wanted - held)
    ]
    wrong += [
        f"The deployer has {role}, with which it makes nothing. Take it out of {_MODULE}."
        for role in sorted(held - wanted)
    ]
    return wrong


def check_accounts(known: Permissions, plan: Plan, grants: Sequence[Grant]) -> list[str]:
    """Compare the accounts that the deployer gives to what it makes, and grants others, with those where it may."""
    said = known.table["deployer"]
    member = known.members[said["account"]]
    members = plan.of("google_service_account_iam_member").values()
    wrong = []
    for deed, done in {
        "giving": set(_accounts(plan)),
        "granting": {values["service_account_id"].rpartition("/")[2] for values in members},
    }.items():
        role = said["on_accounts"][deed]
        may = {grant.name.rpartition("/")[2] for grant in grants if (grant.member, grant.role) == (member, role)}
        wrong += [f"The deployer has no {role} on {account}, which {deed} it takes." for account in sorted(done - may)]
        wrong += [f"The deployer has {role} on {account}, and no {deed} takes it." for account in sorted(may - done)]
    return wrong


def _accounts(plan: Plan) -> Iterable[str]:
    for service in [*plan.of("google_cloud_run_v2_service").values()]:
        yield service["template"][0]["service_account"]
    for job in plan.of("google_cloud_run_v2_job").values():
        yield job["template"][0]["template"][0]["service_account"]
    for template in plan.of("google_compute_region_instance_template").values():
        yield template["service_account"][0]["email"]
    for trigger in plan.of("google_eventarc_trigger").values():
        yield trigger["service_account"]


def _full(known: Permissions, role: str) -> str:
    return role if role.startswith("roles/") else next(full for full in known.custom_roles if full.endswith(f"_{role}"))


def _kinds(makes: dict[str, str], role: str) -> str:
    return ", ".join(kind for kind, maker in makes.items() if maker == role) or "what `besides` says"
