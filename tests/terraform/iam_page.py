"""``python -m tests.terraform.iam_page`` writes ``docs/iam.md``: who may do what, and which calls need it."""

from collections.abc import Iterator, Sequence

from tests.terraform.grants import Grant, rows
from tests.terraform.permissions import Need, Permissions, beyond, fills, found_calls, load, needs
from tests.terraform.terraform import REPOSITORY

PAGE = REPOSITORY / "docs" / "iam.md"
_NAMES = {"project": "PROJECT", "number": "NUMBER", "name": "spotmill", "person": "each of `people`"}
_WHO = {
    "web": "The web service: pages and API, signed URLs, Run.",
    "dispatcher": "The dispatcher: events, ticks, reconcile.",
    "worker": "The worker VMs, and the job that tells the database which pipelines they have.",
    "migrator": "The job that makes the schema at a deployment.",
    "events": "Whom Eventarc calls the dispatcher as.",
}
_THINGS = {
    "artifact_registry_repository": "repository",
    "cloud_run_v2_service": "service",
    "iap_web_cloud_run_service": "service",
    "project": "project",
    "pubsub_subscription": "subscription",
    "pubsub_topic": "topic",
    "secret_manager_secret": "secret",
    "service_account": "account",
    "storage_bucket": "bucket",
}

_INTRODUCTION = """\
Every grant that Terraform makes, the calls that need it, and what no page of Google's says for sure. This page is made
by `python -m tests.terraform.iam_page` of `terraform/iam.yaml`, of `tests/terraform/permissions.yaml`, and of the calls
of Google's clients in the source. Tests compare the grants with Terraform's plan, and with what the calls need: none
may be missing, none may be for nothing, and none may give more than is excused below.
"""


def render() -> str:
    """Return the page in Markdown."""
    known = load(_NAMES)
    needed = needs(known, found_calls())
    return "\n".join(_page(known, needed)) + "\n"


def _page(known: Permissions, needed: Sequence[Need]) -> Iterator[str]:
    granted = rows(_NAMES)
    always = sum("option" not in row for _, row in granted)
    yield "# Who may do what"
    yield ""
    yield _INTRODUCTION
    yield f"There are {len(granted)} grants, {always} of them without any option; `archive`, `partner`, `hook`,"
    yield "`openai` and `github` stand for what the options name."
    for account, told in _WHO.items():
        mine = [(grant, row) for grant, row in granted if grant.member == known.members[account]]
        yield from ("", f"## {account}", "", f"{told} `{known.members[account].partition(':')[2]}`")
        for grant, row in mine:
            yield from _grant(known, needed, grant, row)
    yield from _roles(known, granted)
    yield from _others(known, granted)
    yield from _deployer(known, granted)
    yield from _people(known)
    yield from _assumptions(known)


def _grant(known: Permissions, needed: Sequence[Need], grant: Grant, row: dict[str, str]) -> Iterator[str]:
    only = f", with `{row['option']}` only" if "option" in row else ""
    limit = f", on the condition `{row['if']}`" if "if" in row else ""
    yield from ("", f"**{_role(grant.role)}** on {_thing(grant)}{limit}{only}. {row['why']}", "")
    yield from ("| permission | call | made by |", "| --- | --- | --- |")
    because: dict[tuple[str, str], set[str]] = {}
    for need in needed:
        if fills(known, grant, need):
            because.setdefault((need.permission, need.api), set()).add(need.site)
    for (permission, api), sites in sorted(because.items()):
        yield f"| `{permission}` | `{api}` | {', '.join(f'`{site}`' for site in sorted(sites))} |"
    if more := len(beyond(known, needed, grant)):
        yield from ("", f"The role gives {more} more: see [below](#what-roles-give-besides).")


def _roles(known: Permissions, granted: Sequence[tuple[Grant, dict[str, str]]]) -> Iterator[str]:
    used = {grant.role for grant, _ in granted}
    yield from ("", "## Roles of our own", "", "| role | permissions |", "| --- | --- |")
    for role, permissions in known.custom_roles.items():
        assert role in used
        yield f"| {_role(role)} | {', '.join(f'`{permission}`' for permission in permissions)} |"
    yield from (
        "",
        "The condition `database` names the instance; `grants` names the roles that the deployer may grant.",
    )
    yield from ("", "## What roles give besides", "")
    yield "Google may add permissions to its roles at any time; these are those that the pages named below list."
    for said in known.table["beyond"]:
        page = known.table["roles"][said["role"]]["source"]
        yield from ("", f"[`{said['role']}`]({page}): {said['why']}", "")
        yield ", ".join(f"`{permission}`" for permission in said["permissions"]) + "."


def _others(known: Permissions, granted: Sequence[tuple[Grant, dict[str, str]]]) -> Iterator[str]:
    yield from ("", "## Google's own accounts, people, other systems", "")
    yield from ("| who | role | on | what for |", "| --- | --- | --- | --- |")
    ours = set(known.members.values())
    pages = {(said["member"], said["role"], said["type"]): said["source"] for said in known.table["documented"]}
    for grant, row in granted:
        if grant.member not in ours:
            page = pages[grant.member, grant.role, grant.type]
            only = f" With `{row['option']}` only." if "option" in row else ""
            who = grant.member.partition(":")[2] or grant.member
            yield f"| {who} | `{grant.role}` | {_thing(grant)} | [{row['why']}]({page}){only} |"


def _deployer(known: Permissions, granted: Sequence[tuple[Grant, dict[str, str]]]) -> Iterator[str]:
    said = known.table["deployer"]
    yield from ("", "## deployer", "")
    giving, granting = said["on_accounts"]["giving"], said["on_accounts"]["granting"]
    yield f"Cloud Build applies Terraform as `{known.members['deployer'].partition(':')[2]}`. Each role is there"
    yield f"for the kinds of resources that it makes. On the account of each process it has `{giving}`, to"
    yield f"give it to what it makes, and `{granting}`, to say who may use it. On the billing account"
    yield f"somebody grants it `roles/billing.costsManager` by hand, for {_list(said['by_hand'])}."
    yield from ("", "| role | makes |", "| --- | --- |")
    for grant, row in granted:
        if grant.member == known.members["deployer"] and grant.type == "project":
            short = grant.role.rpartition(f"{_NAMES['name']}_")[2]
            kinds = [kind for kind, role in said["makes"].items() if role in (grant.role, short)]
            yield f"| {_role(grant.role)} | {_list(kinds) or row['why']} |"


def _people(known: Permissions) -> Iterator[str]:
    yield from ("", "## People with a shell", "")
    yield "`spotmill submit` uses the account of whoever calls it, to whom Terraform grants nothing."
    yield "It needs, for what it is asked to do:"
    yield ""
    for call in sorted(found_calls()["submit"].calls):
        for api, key in known.apis(call.method, known.table["calls"].get(call.site, {}).get(call.method, ())):
            permissions = known.table["apis"][api]["permissions"]
            yield f"- {_list(permissions)} on {_list([thing.name for thing in known.things(key)])}, for `{call.site}`"


def _assumptions(known: Permissions) -> Iterator[str]:
    yield from ("", "## Not proven", "")
    yield "What no page of Google's says in so many words, and how to check it in a real project:"
    yield ""
    for api, said in known.table["apis"].items():
        if "assumption" in said:
            yield f"- `{api}`: {said['assumption']} ([page]({said['source']}))"


def _role(role: str) -> str:
    return f"`{role.rpartition(_NAMES['name'] + '_')[2]}`" if role.startswith("projects/") else f"`{role}`"


def _thing(grant: Grant) -> str:
    return f"{_THINGS[grant.type]} `{grant.name.rpartition('/')[2]}`"


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
