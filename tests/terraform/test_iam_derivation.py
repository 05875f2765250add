"""The grants, derived a second way: from the calls of the code to the permissions that they need.

``terraform/iam.yaml`` says who is granted what; ``permissions.yaml`` says what the calls need that are in the source.
"""

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.terraform import call_checks, deployer_roles, grant_checks, iam_page
from tests.terraform.conftest import Planner
from tests.terraform.deployments import EVERYTHING, SMALLEST
from tests.terraform.grants import Grant, planned, planned_roles, written
from tests.terraform.permissions import Need, Permissions, found_calls, load, needs
from tests.terraform.terraform import REPOSITORY, Plan

KNOWN = load()
FOUND = found_calls()
NEEDS = needs(KNOWN, FOUND)
GRANTS = written(options=True)
#: The variables that make grants of their own.
OPTIONS = (
    "allowed_buckets",
    "github",
    "image_readers",
    "image_taggers",
    "ingest_publishers",
    "language_model",
    "models",
    "secrets",
)
CHECKS: dict[str, Callable[[Permissions, Sequence[Need], Sequence[Grant]], list[str]]] = {
    "missing": grant_checks.missing,
    "unneeded": grant_checks.unneeded,
    "surplus": grant_checks.surplus,
    "undocumented": lambda known, _needed, grants: grant_checks.undocumented(known, grants),
}
OURS = [grant for grant in GRANTS if grant.member in {KNOWN.members[need.account] for need in NEEDS}]


def told(wrong: Sequence[str]) -> str:
    return "\n" + "\n".join(wrong)


# The table is whole


def test_every_call_is_known() -> None:
    """Each use of Google's clients is known, and what it asks is placed."""
    wrong = call_checks.unknown_calls(KNOWN, FOUND)
    assert not wrong, told(wrong)


def test_nothing_is_called_in_the_dark() -> None:
    """No call that has the name of one of Google's is made on something of which nobody can tell what it is."""
    wrong = call_checks.riddles(KNOWN, FOUND)
    assert not wrong, told(wrong)


def test_table_has_nothing_old() -> None:
    """The table speaks of no call that is gone."""
    wrong = call_checks.stale(KNOWN, FOUND)
    assert not wrong, told(wrong)


def test_nothing_goes_past_the_clients() -> None:
    """No address of Google's and no other library of its stands in the source unexplained."""
    wrong = call_checks.unknown_hosts(KNOWN)
    assert not wrong, told(wrong)


def test_scripts_are_known() -> None:
    """What the VM's scripts and the platform ask of Google in a process's name is known, too."""
    wrong = call_checks.unknown_scripts(KNOWN)
    assert not wrong, told(wrong)


def test_pipelines_never_talk_to_google() -> None:
    """The child that runs pipelines next to strangers' files cannot reach any client of Google's."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    pipelines = {place.split()[0] for place in project["project"]["entry-points"]["spotmill.pipelines"].values()}
    assert set(KNOWN.table["processes"]["child"]["starts"]) == {"worker.child.__main__", *pipelines}
    assert FOUND["child"].modules >= {"worker.child.runner", "worker.pipelines.image"}
    assert not FOUND["child"].calls


def test_jobs_of_a_deployment_only_use_the_database() -> None:
    """Migration and the list of pipelines ask for nothing but the database."""
    for process in ("migrator", "pipelines"):
        asked = {call.method for call in FOUND[process].calls} & set(KNOWN.table["methods"])
        assert asked == {"sql.Connector.connect_async"}


def test_the_copies_of_models_only_add_to_the_bucket() -> None:
    """The job that copies them looks and writes: no database, no queue, no model that is asked."""
    asked = {call.method for call in FOUND["models"].calls} & set(KNOWN.table["methods"])
    assert asked == {"storage.Blob.upload_from_file", "storage.Bucket.get_blob"}


def test_every_fact_has_a_page() -> None:
    """Whatever is said of Google is said by a page of Google's."""
    table = KNOWN.table
    said = [*table["apis"].values(), *table["roles"].values(), *table["documented"]]
    pages = [one["source"] for one in said] + list(table["deployer"]["besides"].values())
    assert all(page.startswith("https://cloud.google.com/") for page in pages)


# The two agree


@pytest.mark.parametrize("check", CHECKS)
def test_grants_are_what_the_calls_need(check: str) -> None:
    """No grant is missing, none is for nothing, none gives more than is excused, and Google's own follow its pages."""
    wrong = CHECKS[check](KNOWN, NEEDS, GRANTS)
    assert not wrong, told(wrong)


@pytest.mark.parametrize("check", CHECKS)
def test_plan_grants_what_the_calls_need(check: str, plan: Planner) -> None:
    """The same of the plan itself, with the custom roles as it makes them."""
    widest = plan("", **SMALLEST, **{name: EVERYTHING[name] for name in OPTIONS})
    known = load(roles=planned_roles(widest))
    wrong = CHECKS[check](known, NEEDS, planned(widest))
    assert not wrong, told(wrong)


def test_deployer_can_make_what_it_makes(smallest: Plan, everything: Plan) -> None:
    """The deployer has a role for each kind of resource, and no role that makes nothing."""
    wrong = deployer_roles.check(KNOWN, [smallest, everything], planned(smallest))
    assert not wrong, told(wrong)


def test_deployer_hands_out_only_what_is_used(smallest: Plan) -> None:
    """It may give to what it makes exactly the accounts that it gives."""
    wrong = deployer_roles.check_accounts(KNOWN, smallest, planned(smallest))
    assert not wrong, told(wrong)


def test_page_is_current() -> None:
    """``docs/iam.md`` is what the two tables and the source say."""
    assert iam_page.PAGE.read_text(encoding="utf-8") == iam_page.render(), "run: python -m tests.terraform.iam_page"


# A wrong grant is noticed


@pytest.mark.parametrize("grant", OURS, ids=lambda g: f"{g.member[26:].partition('@')[0]} {g.role} {g.name[-24:]}")
def test_a_grant_less_is_missed(grant: Grant) -> None:
    """Whichever grant of a process is taken away: a sentence says who misses what, where, and for which call."""
    wrong = grant_checks.missing(KNOWN, NEEDS, [other for other in GRANTS if other != grant])
    assert wrong
    account = next(account for account, member in KNOWN.members.items() if member == grant.member)
    for sentence in wrong:
        assert sentence.startswith(f"{account} needs ")
        assert f" on {grant.type} {grant.name}" in sentence


def test_a_grant_more_is_noticed() -> None:
    """A role that nobody needs there is named."""
    more = Grant(KNOWN.members["web"], "roles/storage.objectViewer", "storage_bucket", "mill-spotmill-uploads", "")
    (wrong,) = grant_checks.unneeded(KNOWN, NEEDS, [*GRANTS, more])
    assert "spotmill-web@" in wrong
    assert "roles/storage.objectViewer on storage_bucket mill-spotmill-uploads, and no call needs it" in wrong


def test_a_wider_role_is_noticed() -> None:
    """A role with one permission more than the calls need is named, with the permission."""
    narrow = next(role for role in KNOWN.custom_roles if role.endswith("_result_sweeper"))
    roles = {**KNOWN.custom_roles, narrow: [*KNOWN.custom_roles[narrow], "storage.objects.get"]}
    (wrong,) = grant_checks.surplus(replace(KNOWN, custom_roles=roles), NEEDS, GRANTS)
    assert "spotmill-dispatcher@" in wrong
    assert "gets storage.objects.get by" in wrong


def test_a_narrower_role_is_noticed() -> None:
    """A role that lost a permission is no longer enough."""
    role = next(role for role in KNOWN.custom_roles if role.endswith("_result_sweeper"))
    roles = {**KNOWN.custom_roles, role: ["storage.objects.list"]}
    (wrong,) = grant_checks.missing(replace(KNOWN, custom_roles=roles), NEEDS, GRANTS)
    assert wrong.startswith("dispatcher needs storage.objects.delete on storage_bucket mill-spotmill-results, for ")
    assert "services.dispatcher.sweep._Broom._delete" in wrong


def test_a_grant_on_the_whole_project_is_noticed() -> None:
    """A role that is needed on one bucket is not excused by one on the project, nor without its condition."""
    for grant in OURS:
        if grant.type != "project":
            wide = [*(other for other in GRANTS if other != grant), replace(grant, type="project", name="mill")]
        elif grant.condition:
            wide = [*(other for other in GRANTS if other != grant), replace(grant, condition="")]
        else:
            continue
        assert grant_checks.missing(KNOWN, NEEDS, wide)
        assert grant_checks.unneeded(KNOWN, NEEDS, wide)


def test_a_role_that_nobody_described_is_noticed() -> None:
    """A role of Google's that is granted and not described says what to do."""
    grant = Grant(KNOWN.members["worker"], "roles/storage.admin", "storage_bucket", "mill-spotmill-results", "")
    with pytest.raises(AssertionError, match=r"roles/storage\.admin is granted; say in `roles`"):
        grant_checks.surplus(KNOWN, NEEDS, [*GRANTS, grant])
