"""Repository, triggers and the deployer's rights, as planned."""

import re

import pytest

from tests.terraform.conftest import Planner
from tests.terraform.terraform import REPOSITORY, TerraformError

GIVEN = {
    "project": "mill",
    "project_number": "123456789012",
    "deployer_email": "spotmill-deployer@mill.iam.gserviceaccount.com",
}
GITHUB = {
    "owner": "example",
    "repository": "media-mill",
    "installation_id": 12345678,
    "token_version": "projects/mill/secrets/github-token/versions/1",
}
THREE = {
    "dev": {"branch": "^main$"},
    "staging": {"tag": "^v.*-rc[0-9]+$", "substitutions": {"_PROJECT": "mill-staging"}},
    "prod": {"tag": "^v[0-9.]+$", "approval": True},
}
CUSTOM = "projects/mill/roles/spotmill_fleet_resizer"
ACCOUNTS = {
    name: f"projects/mill/serviceAccounts/spotmill-{name}@mill.iam.gserviceaccount.com" for name in ("web", "worker")
}
READER = "serviceAccount:spotmill-worker@mill.iam.gserviceaccount.com"
TAGGER = "serviceAccount:spotmill-deployer@staging.iam.gserviceaccount.com"
#: Every option, in one plan.
FULL = GIVEN | {
    "custom_roles": [CUSTOM],
    "environments": THREE,
    "github": GITHUB,
    "keep": 5,
    "members": {"worker": READER},
    "service_accounts": ACCOUNTS,
    "state_bucket": "mill-state",
}
#: Roles that give everything, or a way to it.
TOO_MUCH = re.compile(
    r"roles/(owner|editor|viewer|iam\.(serviceAccountTokenCreator|serviceAccountKeyAdmin|securityAdmin))$"
)


def test_clean_up(plan: Planner) -> None:
    """The newest versions and what is deployed are kept; the rest goes after a week without a tag, or 90 days."""
    planned = plan("modules/delivery", **FULL)
    repository = planned.one("google_artifact_registry_repository.images")
    assert (repository["format"], repository["cleanup_policy_dry_run"]) == ("DOCKER", False)
    policies = {policy["id"]: policy for policy in repository["cleanup_policies"]}
    assert {name for name, policy in policies.items() if policy["action"] == "KEEP"} == {"keep-newest", "keep-deployed"}
    assert policies["keep-newest"]["most_recent_versions"][0]["keep_count"] == 5
    assert policies["keep-deployed"]["condition"][0]["tag_prefixes"] == ["deployed-"]
    ages = {name: policy["condition"][0]["older_than"] for name, policy in policies.items() if "delete" in name}
    assert ages == {"delete-untagged": "604800s", "delete-old": "7776000s"}


def test_what_is_deployed_keeps_its_tag() -> None:
    """The program that deploys tags images with the prefix by which the repository keeps them."""
    source = (REPOSITORY / "deploy" / "images.py").read_text()
    assert re.search(r'"tags", "add", .*:deployed-\{target\.environment\}"', source)


def test_triggers(plan: Planner) -> None:
    """Each environment has a trigger of its own for the same build; production waits for a person."""
    planned = plan("modules/delivery", **FULL)
    triggers = {trigger["name"]: trigger for trigger in planned.of("google_cloudbuild_trigger").values()}
    assert set(triggers) == {"spotmill-dev", "spotmill-staging", "spotmill-prod"}
    pushed = {name: trigger["repository_event_config"][0]["push"][0] for name, trigger in triggers.items()}
    assert pushed["spotmill-dev"]["branch"] == "^main$"
    assert pushed["spotmill-prod"]["tag"] == "^v[0-9.]+$"
    approved = {name: trigger["approval_config"][0]["approval_required"] for name, trigger in triggers.items()}
    assert approved == {"spotmill-dev": False, "spotmill-staging": False, "spotmill-prod": True}
    account = "projects/mill/serviceAccounts/spotmill-deployer@mill.iam.gserviceaccount.com"
    assert {trigger["service_account"] for trigger in triggers.values()} == {account}
    assert {trigger["filename"] for trigger in triggers.values()} == {"cloudbuild.yaml"}
    assert triggers["spotmill-staging"]["substitutions"]["_PROJECT"] == "mill-staging"
    assert triggers["spotmill-prod"]["substitutions"]["_ENVIRONMENT"] == "prod"
    states = {name: trigger["substitutions"].get("_STATE_BUCKET") for name, trigger in triggers.items()}
    assert states == {"spotmill-dev": "mill-state", "spotmill-staging": None, "spotmill-prod": "mill-state"}


def test_the_builds_file_is_there() -> None:
    """The file that triggers name is in the repository."""
    assert (REPOSITORY / "cloudbuild.yaml").exists()


def test_connection(plan: Planner) -> None:
    """Cloud Build's agent reads GitHub's token, and nobody else gets it."""
    planned = plan("modules/delivery", **FULL)
    (grant,) = planned.of("google_secret_manager_secret_iam_member").values()
    assert grant["member"] == "serviceAccount:service-123456789012@gcp-sa-cloudbuild.iam.gserviceaccount.com"
    assert (grant["secret_id"], grant["role"]) == ("github-token", "roles/secretmanager.secretAccessor")
    (connection,) = planned.of("google_cloudbuildv2_connection").values()
    assert connection["github_config"][0]["app_installation_id"] == 12345678
    (repository,) = planned.of("google_cloudbuildv2_repository").values()
    assert repository["remote_uri"] == "https://github.com/example/media-mill.git"


def test_without_github(plan: Planner) -> None:
    """Without GitHub there are a repository and the deployer's rights, and nothing that listens."""
    kinds = {resource.type for resource in plan("modules/delivery", **GIVEN).resources.values()}
    assert not any("cloudbuild" in kind or "secret" in kind for kind in kinds)


def test_readers(plan: Planner) -> None:
    """Those who run images read them from this one repository."""
    planned = plan("modules/delivery", **FULL)
    (grant,) = planned.of("google_artifact_registry_repository_iam_member").values()
    assert (grant["member"], grant["role"], grant["repository"]) == (
        READER,
        "roles/artifactregistry.reader",
        "spotmill",
    )


def test_taggers(plan: Planner) -> None:
    """Other environments' deployers tag images in this one repository."""
    planned = plan("modules/delivery", **FULL, taggers={"staging": TAGGER})
    grant = planned.one('google_artifact_registry_repository_iam_member.tagger["staging"]')
    assert (grant["member"], grant["role"], grant["repository"]) == (
        TAGGER,
        "roles/artifactregistry.writer",
        "spotmill",
    )


def test_the_deployer_is_no_owner(plan: Planner) -> None:
    """No role of the deployer gives everything, each has its reason, and grants on the project are limited to ours."""
    planned = plan("modules/delivery", **FULL)
    grants = planned.of("google_project_iam_member").values()
    roles = [grant["role"] for grant in grants]
    assert not [role for role in roles if TOO_MUCH.search(role)]
    assert len(roles) == len(set(roles))
    assert all(reason for reason in planned.outputs["deployer_roles"].values())
    (admin,) = (grant for grant in grants if grant["role"] == "roles/resourcemanager.projectIamAdmin")
    (condition,) = admin["condition"]
    limited = re.fullmatch(
        r"api\.getAttribute\('iam\.googleapis\.com/modifiedGrantsByRole', \[\]\)\.hasOnly\(\[(.*)\]\)",
        condition["expression"],
    )
    assert limited
    granted = set(re.findall(r"'([^']+)'", limited[1]))
    assert granted == {
        CUSTOM,
        "roles/cloudsql.client",
        "roles/cloudsql.instanceUser",
        "roles/eventarc.eventReceiver",
        "roles/logging.logWriter",
        "roles/pubsub.publisher",
    }


def test_the_deployer_reads_no_secret(plan: Planner) -> None:
    """What the deployer may do to secrets does not include reading them."""
    planned = plan("modules/delivery", **FULL)
    (role,) = planned.of("google_project_iam_custom_role").values()
    assert set(role["permissions"]) == {
        f"secretmanager.secrets.{verb}" for verb in ("get", "getIamPolicy", "setIamPolicy")
    }


def test_the_deployer_gives_only_our_accounts(plan: Planner) -> None:
    """It may use the accounts of what it deploys, one by one, and not all of the project's."""
    planned = plan("modules/delivery", **FULL)
    grants = planned.of("google_service_account_iam_member").values()
    assert {grant["service_account_id"] for grant in grants} == set(ACCOUNTS.values())
    assert {grant["role"] for grant in grants} == {"roles/iam.serviceAccountAdmin", "roles/iam.serviceAccountUser"}


def test_refusals(plan: Planner) -> None:
    """What would deploy by accident, or leave nothing to roll back to, is an error at plan time."""
    wrong = {
        "environments": ({"prod": {"branch": "^main$"}, "dev": {}}, "approval = true"),
        "github": (GITHUB | {"token_version": "ghp_secret"}, "versions/N"),
        "keep": (1, "2 at least"),
    }
    with pytest.raises(TerraformError) as refused:
        plan("modules/delivery", **(GIVEN | {name: value for name, (value, _) in wrong.items()}))
    assert [said for _, said in wrong.values() if said not in str(refused.value)] == []
    assert "either a branch or a tag" in str(refused.value)
