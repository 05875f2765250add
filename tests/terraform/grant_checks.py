"""What the code needs against what is granted.

Every check returns sentences that say what is wrong and what to do; none means that all is well.
"""

from collections.abc import Iterable, Iterator, Sequence

from tests.terraform.grants import Grant
from tests.terraform.permissions import HERE, Need, Permissions, Thing, beyond, fills


def missing(known: Permissions, needed: Iterable[Need], grants: Sequence[Grant]) -> list[str]:
    """Find needs that no grant fills."""
    wrong: dict[tuple[str, str, Thing], list[Need]] = {}
    for need in needed:
        if not any(fills(known, grant, need) for grant in grants):
            wrong.setdefault((need.account, need.permission, need.thing), []).append(need)
    return [
        f"{account} needs {permission} on {_told(thing)}, for {_reasons(because)}, and no grant gives it. "
        "Add one to its module and to terraform/iam.yaml, or take the call away."
        for (account, permission, thing), because in sorted(wrong.items())
    ]


def unneeded(known: Permissions, needed: Sequence[Need], grants: Sequence[Grant]) -> list[str]:
    """Find grants of our processes without which nothing would be missing."""
    wrong = []
    for grant in _of_processes(known, grants):
        others = [other for other in grants if other != grant]
        if not any(
            fills(known, grant, need) and not any(fills(known, other, need) for other in others) for need in needed
        ):
            wrong.append(
                f"{grant.member} has {grant.role} on {grant.type} {grant.name}, and no call needs it. "
                "Take it out of its module and of terraform/iam.yaml."
            )
    return wrong


def surplus(known: Permissions, needed: Sequence[Need], grants: Sequence[Grant]) -> list[str]:
    """Find what roles give beyond the need without a reason, and reasons for what none gives."""
    wrong = []
    unused = {(said["role"], permission) for said in known.table["beyond"] for permission in said["permissions"]}
    for grant in _of_processes(known, grants):
        left = beyond(known, needed, grant)
        allowed = {p for said in known.table["beyond"] if said["role"] == grant.role for p in said["permissions"]}
        unused -= {(grant.role, permission) for permission in left}
        if left - allowed:
            wrong.append(
                f"{grant.member} gets {', '.join(sorted(left - allowed))} by {grant.role} on {grant.type} "
                f"{grant.name}, and no call needs that. Grant a narrower role, or say why in `beyond` of {HERE}."
            )
    return wrong + [
        f"`beyond` of {HERE} excuses {permission} in {role}, which no grant gives in excess. Take it out."
        for role, permission in sorted(unused)
    ]


def undocumented(known: Permissions, grants: Sequence[Grant]) -> list[str]:
    """Find grants of accounts that run none of our code for which no page is named, and pages for no grant."""
    said = {(one["member"], one["role"], one["type"]) for one in known.table["documented"]}
    ours = set(known.members.values())
    given = {(grant.member, grant.role, grant.type) for grant in grants if grant.member not in ours}
    return [
        f"{member} has {role} on a {kind}. Name the page that asks for it in `documented` of {HERE}."
        for member, role, kind in sorted(given - said)
    ] + [
        f"`documented` of {HERE} has {role} on a {kind} for {member}, which nobody grants. Take it out."
        for member, role, kind in sorted(said - given)
    ]


def _of_processes(known: Permissions, grants: Iterable[Grant]) -> Iterator[Grant]:
    accounts = {said["account"] for said in known.table["processes"].values()} - {None}
    accounts |= {said["account"] for said in known.table["elsewhere"]}
    members = {known.members[account] for account in accounts}
    return (grant for grant in grants if grant.member in members)


def _told(thing: Thing) -> str:
    limit = " (under its condition)" if thing.condition else ""
    return f"{thing.type} {thing.name}{limit}"


def _reasons(because: Sequence[Need]) -> str:
    return "; ".join(sorted({f"{need.api} in {need.site}" for need in because}))
