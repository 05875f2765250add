"""What the code needs of Google: the calls that were found, and what ``permissions.yaml`` says of them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.terraform.api_calls import Call, Found, find_calls
from tests.terraform.grants import MILL, Grant, read, written_roles
from tests.terraform.source_values import named
from tests.terraform.terraform import REPOSITORY

TABLE = REPOSITORY / "tests" / "terraform" / "permissions.yaml"
#: How sentences for people name the table.
HERE = "tests/terraform/permissions.yaml"


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """What something is granted on, as grants name it. ``key`` is its name in the table."""

    key: str
    type: str
    name: str
    condition: str


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """A permission that an account needs on a thing, as ``site`` calls ``api`` there."""

    account: str
    permission: str
    thing: Thing
    api: str
    site: str


@dataclass(frozen=True)
class Permissions:
    """The table, filled with the names of one deployment."""

    table: dict[str, Any]
    conditions: Mapping[str, str]
    members: Mapping[str, str]
    custom_roles: Mapping[str, Sequence[str]]

    @property
    def clients(self) -> dict[str, str]:
        """Short names of Google's classes by their full ones."""
        return {named(path): short for short, path in self.table["clients"].items()}

    def things(self, key: str) -> list[Thing]:
        """Return what a word of the table stands for."""
        return [
            Thing(key, one["type"], one["name"], self.conditions[one["if"]].strip() if "if" in one else "")
            for one in self.table["things"][key]
        ]

    def apis(self, method: str, places: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Give what a member calls, and on what: each of its calls on each place, unless a place names its call."""
        for place in places:
            api, on, thing = place.rpartition(" on ")
            for called in [api] if on else self.table["methods"][method]:
                yield called, thing

    def permissions(self, role: str) -> set[str]:
        """Return what a role contains: one of Google's, or one of ours."""
        if role in self.custom_roles:
            return set(self.custom_roles[role])
        known = self.table["roles"].get(role)
        assert known is not None, f"{role} is granted; say in `roles` of {HERE} what it contains, and by which page."
        return set(known["permissions"])


def load(names: Mapping[str, str] = MILL, roles: Mapping[str, Sequence[str]] | None = None) -> Permissions:
    """Read the table for a deployment with these names; ``roles`` are the custom ones, by default as written."""
    grants = read(names=names)
    return Permissions(
        read(TABLE, names), grants["conditions"], grants["members"], written_roles(names) if roles is None else roles
    )


@cache
def found_calls() -> dict[str, Found]:
    """Return what each process may call, found once."""
    known = load()
    return {
        process: find_calls(said["starts"], known.clients, known.table["gives"])
        for process, said in known.table["processes"].items()
    }


def needs(known: Permissions, found: Mapping[str, Found]) -> list[Need]:
    """Return all that the processes with an account need, each with who calls for it."""
    table, all_needs = known.table, set()
    for process, said in table["processes"].items():
        if said["account"] is not None:
            for site, method, places in _placed(table, found[process].calls):
                for api, key in known.apis(method, places):
                    all_needs |= set(_needs(known, said["account"], api, key, site))
    for one in table["elsewhere"]:
        all_needs |= set(_needs(known, one["account"], one["api"], one["thing"], one["file"]))
    return sorted(all_needs)


def _placed(table: Mapping[str, Any], calls: Iterable[Call]) -> Iterator[tuple[str, str, Sequence[str]]]:
    sites = {call.site for call in calls}
    made = {(call.site, call.method) for call in calls}
    for site in sorted(sites & set(table["calls"])):
        for method, places in table["calls"][site].items():
            if (site, method) in made or method == "not found":
                yield site, method, places


def _needs(known: Permissions, account: str, api: str, key: str, site: str) -> Iterator[Need]:
    for permission in known.table["apis"][api]["permissions"]:
        for thing in known.things(key):
            yield Need(account, permission, thing, api, site)


def fills(known: Permissions, grant: Grant, need: Need) -> bool:
    """Tell whether a grant gives what is needed, on that very thing and under no other condition."""
    return (
        grant.member == known.members[need.account]
        and (grant.type, grant.name, grant.condition) == (need.thing.type, need.thing.name, need.thing.condition)
        and need.permission in known.permissions(grant.role)
    )


def beyond(known: Permissions, needed: Iterable[Need], grant: Grant) -> set[str]:
    """Return the permissions of a grant that nothing needs there."""
    return known.permissions(grant.role) - {need.permission for need in needed if fills(known, grant, need)}
