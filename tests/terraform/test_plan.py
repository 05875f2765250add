"""The root module with its defaults: what costs money, what is open to whom, and what the stand-in cannot check."""

import json
import re

from tests.terraform.terraform import PROJECT_NUMBER, REPOSITORY, Plan

_WEB_URL = f"https://spotmill-web-{PROJECT_NUMBER}.us-central1.run.app"


def test_resources_are_counted(smallest: Plan) -> None:
    """The README says how many resources there are."""
    readme = (REPOSITORY / "terraform" / "README.md").read_text()
    said = re.search(r"(\d+) resources", readme)
    assert said is not None
    assert int(said[1]) == len(smallest.resources)


def test_nobody_unknown(smallest: Plan, everything: Plan) -> None:
    """No plan names the public, nor a role that may do everything."""
    for plan in (smallest, everything):
        text = json.dumps(plan.document["planned_values"])
        for word in ("allUsers", "allAuthenticatedUsers", "roles/editor", "roles/owner", "roles/viewer"):
            assert f'"{word}"' not in text


def test_no_keys_and_no_passwords(smallest: Plan, everything: Plan) -> None:
    """There are no key files, no passwords, and no secret value in any state."""
    for plan in (smallest, everything):
        kinds = {resource.type for resource in plan.resources.values()}
        assert not kinds & {
            "google_service_account_key",
            "google_secret_manager_secret_version",
            "google_storage_hmac_key",
        }
        for user in plan.of("google_sql_user").values():
            assert user["type"] == "CLOUD_IAM_SERVICE_ACCOUNT"
            assert not user["password"]
            assert not user["password_wo"]
        for instance in plan.of("google_sql_database_instance").values():
            assert not instance["root_password"]
            assert not instance["root_password_wo"]


def test_grants_add_and_never_replace(smallest: Plan, everything: Plan) -> None:
    """Every grant is one member's: a binding or a policy would take away what others in the project granted."""
    for plan in (smallest, everything):
        assert not [r.type for r in plan.resources.values() if r.type.endswith(("_iam_policy", "_iam_binding"))]


def test_nothing_runs_while_idle(smallest: Plan) -> None:
    """Services scale to zero and are paid by request, the group starts without VMs, and there is no NAT."""
    for service in smallest.of("google_cloud_run_v2_service").values():
        assert service["template"][0]["scaling"][0]["min_instance_count"] == 0
        assert service["scaling"][0]["max_instance_count"] <= 5
        assert service["template"][0]["containers"][0]["resources"][0]["cpu_idle"] is True
    (group,) = smallest.of("google_compute_region_instance_group_manager").values()
    assert group["target_size"] == 0
    assert not smallest.of("google_compute_router_nat")


def test_workers_are_spot_vms_without_an_address(smallest: Plan) -> None:
    """Workers are spot VMs that end by themselves, in any zone that has one, and that nothing outside can reach."""
    (template,) = smallest.of("google_compute_region_instance_template").values()
    (scheduling,) = template["scheduling"]
    assert scheduling["provisioning_model"] == "SPOT"
    assert scheduling["instance_termination_action"] in {"DELETE", "STOP"}
    assert scheduling["max_run_duration"][0]["seconds"] == 86400
    assert [interface["access_config"] for interface in template["network_interface"]] == [[]]
    assert template["disk"][0]["disk_size_gb"] == 100
    (group,) = smallest.of("google_compute_region_instance_group_manager").values()
    assert group["distribution_policy_target_shape"] == "ANY"
    (policy,) = group["update_policy"]
    assert (policy["type"], policy["instance_redistribution_type"]) == ("OPPORTUNISTIC", "NONE")


def test_an_apply_kills_no_run() -> None:
    """The size of the group belongs to the dispatcher: Terraform does not look at it again."""
    group = (REPOSITORY / "terraform" / "modules" / "workers" / "main.tf").read_text()
    assert re.search(r"ignore_changes\s*=\s*\[target_size\]", group)


def test_buckets_are_closed(smallest: Plan) -> None:
    """Buckets are private for good, and pages of the web service alone may use them from a browser."""
    buckets = smallest.of("google_storage_bucket")
    assert {bucket["name"] for bucket in buckets.values()} == {"mill-spotmill-uploads", "mill-spotmill-results"}
    for bucket in buckets.values():
        assert bucket["public_access_prevention"] == "enforced"
        assert bucket["uniform_bucket_level_access"] is True
        assert [rule["origin"] for rule in bucket["cors"]] == [[_WEB_URL]]
        assert bucket["soft_delete_policy"][0]["retention_duration_seconds"] == 7 * 86400


def test_all_is_in_one_free_region(smallest: Plan) -> None:
    """Nothing is made in another region than the one that was asked for: events and traffic would cross, at a price."""
    for resource in smallest.resources.values():
        for key in ("location", "region"):
            assert str(resource.values.get(key) or "us-central1").lower() in {"us-central1", "global"}, resource.address


def test_what_can_have_labels_has_them(smallest: Plan, everything: Plan) -> None:
    """The bill can tell Spotmill from the rest of the project."""
    for plan, label in ((smallest, ("app", "spotmill")), (everything, ("team", "media"))):
        billed = (
            "google_artifact_registry_repository",
            "google_cloud_run_v2_job",
            "google_cloud_run_v2_service",
            "google_compute_region_instance_template",
            "google_pubsub_subscription",
            "google_pubsub_topic",
            "google_storage_bucket",
        )
        for kind in billed:
            assert plan.of(kind)
            for address, values in plan.of(kind).items():
                assert label in values["labels"].items(), address
        (instance,) = plan.of("google_sql_database_instance").values()
        assert label in instance["settings"][0]["user_labels"].items()


def test_apis_stay_enabled(smallest: Plan) -> None:
    """A destroy turns off no API that something else in the project may use."""
    apis = smallest.of("google_project_service")
    assert len(apis) == 19
    assert all(api["disable_on_destroy"] is False for api in apis.values())


def test_budgets(smallest: Plan) -> None:
    """The project's budget is 5 USD; both send mails at 50, 90 and 100 % of actual and forecast cost."""
    budgets = {budget["display_name"]: budget for budget in smallest.of("google_billing_budget").values()}
    assert budgets["spotmill-project"]["amount"][0]["specified_amount"][0]["units"] == "5"
    for budget in budgets.values():
        assert not budget["amount"][0]["last_period_amount"]
        rules = {(rule["threshold_percent"], rule["spend_basis"]) for rule in budget["threshold_rules"]}
        assert rules == {(share, basis) for share in (0.5, 0.9, 1) for basis in ("CURRENT_SPEND", "FORECASTED_SPEND")}
    assert budgets["spotmill-workers"]["all_updates_rule"][0]["pubsub_topic"] == "projects/mill/topics/spotmill-budget"
