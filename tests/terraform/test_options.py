"""The root module with every option: each reaches what it is about."""

import re
from typing import Any

import pytest

from shared.settings import WorkerSettings
from tests.terraform.conftest import Planner
from tests.terraform.deployments import EVERYTHING, SMALLEST
from tests.terraform.terraform import REPOSITORY, Plan, TerraformError


def test_every_variable_is_tried() -> None:
    """The plan with every option leaves no variable of the root module at its default."""
    text = (REPOSITORY / "terraform" / "variables.tf").read_text()
    assert set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE)) == set(EVERYTHING)


def test_every_attribute_is_tried() -> None:
    """It leaves no attribute of an object out, either."""
    text = (REPOSITORY / "terraform" / "variables.tf").read_text()
    for name in ("budget", "database", "language_model", "workers", "max_instances"):
        body = re.search(rf'^variable "{name}" \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL)
        assert body is not None
        assert set(re.findall(r"^    (\w+) +=", body[1], re.MULTILINE)) - {"condition", "error_message"} == set(
            EVERYTHING[name]
        )


def test_names(everything: Plan) -> None:
    """All names begin with the prefix, so that two may live in one project."""
    for resource in everything.resources.values():
        name = resource.values.get("name") or resource.values.get("account_id") or resource.values.get("role_id")
        if resource.type in {"google_project_service", "google_cloudbuildv2_repository"} or not isinstance(name, str):
            continue
        own = name.startswith(("mill-two", "mill_two"))
        assert own or name in {"mill-in", "mill-out"} or resource.type.endswith("_iam_member"), resource.address


def test_region(everything: Plan) -> None:
    """A region that was asked for is that of everything."""
    assert {bucket["location"] for bucket in everything.of("google_storage_bucket").values()} == {"EUROPE-WEST1"}
    for kind in ("google_cloud_run_v2_service", "google_eventarc_trigger", "google_artifact_registry_repository"):
        assert {values["location"] for values in everything.of(kind).values()} == {"europe-west1"}
    (group,) = everything.of("google_compute_region_instance_group_manager").values()
    assert group["region"] == "europe-west1"
    assert set(group["distribution_policy_zones"]) == {"europe-west1-b", "europe-west1-c"}


def test_buckets(everything: Plan) -> None:
    """Buckets have the names, versions and days that were asked for, and the origin of the custom domain."""
    buckets = {bucket["name"]: bucket for bucket in everything.of("google_storage_bucket").values()}
    assert set(buckets) == {"mill-in", "mill-out"}
    for bucket in buckets.values():
        assert bucket["force_destroy"] is True
        assert bucket["versioning"] == [{"enabled": True}]
        assert bucket["soft_delete_policy"][0]["retention_duration_seconds"] == 30 * 86400
        assert bucket["cors"][0]["origin"] == ["https://mill.example.com"]


def test_workers(everything: Plan) -> None:
    """Workers have the machines, disk, GPU, image and times that were asked for, and a way to the internet."""
    (template,) = everything.of("google_compute_region_instance_template").values()
    assert template["machine_type"] == "g2-standard-8"
    assert template["disk"][0]["disk_size_gb"] == 200
    assert [(gpu["type"], gpu["count"]) for gpu in template["guest_accelerator"]] == [("nvidia-l4", 1)]
    assert template["scheduling"][0]["max_run_duration"][0]["seconds"] == 48 * 3600
    assert EVERYTHING["images"]["worker_gpu"] in template["metadata"]["user-data"]
    assert EVERYTHING["images"]["worker"] not in template["metadata"]["user-data"]
    assert "SPOTMILL_VM_HOURLY_USD=0.4" in template["metadata"]["user-data"]
    assert "SPOTMILL_PREEMPTION_NOTICE_SECONDS=120" in template["metadata"]["user-data"]
    assert len(everything.of("google_compute_router_nat")) == 1
    (subnet,) = everything.of("google_compute_subnetwork").values()
    assert subnet["ip_cidr_range"] == "10.9.0.0/22"


def test_ssh_comes_through_iap_only(smallest: Plan, everything: Plan) -> None:
    """No firewall rule lets anything in but SSH from IAP, and that only if it was asked for."""
    assert not smallest.of("google_compute_firewall")
    rules = everything.of("google_compute_firewall").values()
    assert [(rule["direction"], rule["source_ranges"]) for rule in rules] == [("INGRESS", ["35.235.240.0/20"])]


def test_settings(everything: Plan) -> None:
    """Settings for all processes reach all of them, and allowed buckets the dispatcher."""
    settings = everything.outputs["settings"]
    assert {settings[process]["SPOTMILL_LOG_LEVEL"] for process in ("web", "dispatcher", "worker")} == {"DEBUG"}
    assert settings["dispatcher"]["SPOTMILL_ALLOWED_BUCKETS"] == "archive,partner"
    assert settings["worker"]["SPOTMILL_DATABASE_POOL_SIZE"] == "4"
    assert settings["web"]["SPOTMILL_MAX_WORKERS"] == "20"


def test_models(smallest: Plan, everything: Plan) -> None:
    """Workers and the job that copies models know where each comes from; without a word it is Whisper's small one."""
    assert smallest.outputs["settings"]["worker"]["SPOTMILL_MODELS"] == "whisper=small"
    places = everything.outputs["settings"]["worker"]["SPOTMILL_MODELS"].split(",")
    assert dict(place.split("=") for place in places) == EVERYTHING["models"]
    for plan, limits in ((smallest, {"cpu": "2", "memory": "8Gi"}), (everything, {"cpu": "4", "memory": "16Gi"})):
        jobs = plan.of("google_cloud_run_v2_job").values()
        (job,) = (job["template"][0]["template"][0] for job in jobs if job["name"].endswith("-models"))
        assert job["containers"][0]["resources"][0]["limits"] == limits
    assert [grant["bucket"] for grant in _readers_of_models(everything)] == ["weights"]
    assert not _readers_of_models(smallest)


def _readers_of_models(plan: Plan) -> list[dict[str, Any]]:
    grants = plan.of("google_storage_bucket_iam_member")
    return [values for address, values in grants.items() if ".models[" in address]


def test_buckets_of_models_that_are_read_anyway(plan: Planner) -> None:
    """A model in a bucket of ours, or in one that may be announced, wants no grant of its own."""
    places = {
        "a": "gs://mill-spotmill-results/m",
        "b": "gs://archive/m/large",
        "c": "gs://archive",
        "d": "gs://others/m",
    }
    wide = plan("", **SMALLEST, models=places, allowed_buckets=["archive"])
    assert [grant["bucket"] for grant in _readers_of_models(wide)] == ["others"]


def test_a_mill_without_models(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants images alone says so, and nothing is fetched."""
    for name, value in plan("", **SMALLEST, models={}).outputs["settings"]["worker"].items():
        monkeypatch.setenv(name, value)
    assert WorkerSettings().models == ()


def test_no_language_model_unless_chosen(smallest: Plan, everything: Plan) -> None:
    """Nothing tells workers of one, enables its API, or lets them ask it; Vertex AI has all three once it is chosen."""
    told = [name for settings in smallest.outputs["settings"].values() for name in settings if "LANGUAGE_MODEL" in name]
    assert not told
    for plan, there in ((smallest, False), (everything, True)):
        apis = {api["service"] for api in plan.of("google_project_service").values()}
        grants = [g for g in plan.of("google_project_iam_member").values() if g["role"].endswith("_model_asker")]
        assert ("aiplatform.googleapis.com" in apis) is there
        assert [grant["member"].partition("@")[0] for grant in grants] == ["serviceAccount:mill-two-worker"] * there
    worker = everything.outputs["settings"]["worker"]
    assert {name.removeprefix("SPOTMILL_"): value for name, value in worker.items() if "LANGUAGE" in name} == {
        "LANGUAGE_MODEL": "gemini-4-flash",
        "LANGUAGE_MODEL_ENDPOINT": "https://europe-west1-aiplatform.googleapis.com",
        "LANGUAGE_MODEL_ENGINE": "vertex",
        "LANGUAGE_MODEL_REGION": "eu",
    }
    assert not [name for name in everything.outputs["settings"]["web"] if "LANGUAGE" in name]


@pytest.mark.parametrize(
    ("model", "external"),
    [
        ({"engine": "gemini", "model": "m"}, False),
        ({"engine": "anthropic", "model": "m"}, True),
        ({"engine": "openai", "model": "m", "endpoint": "http://10.9.0.5:8000/v1"}, False),
        ({"engine": "openai", "model": "m", "endpoint": "http://llm.us-central1-a.c.mill.internal:8000/v1"}, False),
    ],
    ids=["gemini", "outside", "address", "name"],
)
def test_language_models_that_can_be_had(model: dict[str, str], external: bool, plan: Planner) -> None:
    """A key goes to the workers as a secret, to nobody else; only what is outside wants a way to the internet."""
    planned = plan("", **SMALLEST, language_model=model, external_ai=external, secrets=_KEY)
    assert bool(planned.of("google_compute_router_nat")) is external
    (template,) = planned.of("google_compute_region_instance_template").values()
    line = "SPOTMILL_LANGUAGE_MODEL_KEY projects/mill/secrets/llm/versions/1"
    assert line in template["metadata"]["user-data"]
    apis = {api["service"] for api in planned.of("google_project_service").values()}
    assert "aiplatform.googleapis.com" not in apis


def test_people(everything: Plan) -> None:
    """Exactly those who were named may open the pages."""
    people = {grant["member"] for grant in everything.of("google_iap_web_cloud_run_service_iam_member").values()}
    assert people == {"user:ann@example.com", "domain:example.com"}


def test_budgets(everything: Plan) -> None:
    """Budgets have the amounts and the currency that were asked for, to the cent."""
    budgets = everything.of("google_billing_budget").values()
    amounts = {b["display_name"]: b["amount"][0]["specified_amount"][0] for b in budgets}
    assert amounts == {
        "mill-two-project": {"currency_code": "EUR", "units": "50", "nanos": 0},
        "mill-two-workers": {"currency_code": "EUR", "units": "30", "nanos": 500_000_000},
    }


def test_no_budgets(plan: Planner) -> None:
    """Who may not see the billing account can do without budgets."""
    without = plan("", **SMALLEST | {"budget": {"enabled": False, "billing_account": "012345-6789AB-CDEF01"}})
    assert not without.of("google_billing_budget")


def test_delivery(smallest: Plan, everything: Plan) -> None:
    """A trigger for each environment listens to GitHub if it is named, and production waits for a person."""
    assert not smallest.of("google_cloudbuild_trigger")
    triggers = {trigger["name"]: trigger for trigger in everything.of("google_cloudbuild_trigger").values()}
    approvals = {name: trigger["approval_config"][0]["approval_required"] for name, trigger in triggers.items()}
    assert approvals == {"mill-two-dev": False, "mill-two-prod": True}
    assert triggers["mill-two-prod"]["substitutions"]["_STATE_BUCKET"] == "mill-state"


def test_mails(smallest: Plan, everything: Plan) -> None:
    """Alerts and budgets send mails to those who were named."""
    assert not smallest.of("google_monitoring_notification_channel")
    channels = everything.of("google_monitoring_notification_channel").values()
    assert [channel["labels"] for channel in channels] == [{"email_address": "ops@example.com"}]


_KEY = {"SPOTMILL_LANGUAGE_MODEL_KEY": {"secret": "llm", "version": "1", "processes": ["worker"]}}
#: Wrong values of variables, and words of what the plan says to each; all that it finds at once, it says at once.
_WRONG = {
    "admins": (["user:ann@example.com"], "must be e-mail addresses"),
    "language_model": ({"engine": "llama", "model": "m"}, "gemini, vertex, openai or anthropic"),
    "models": ({"whisper": "a b"}, "such as whisper to small"),
    "region": ("europe-west1", "no free tier"),
    "settings": ({"LOG_LEVEL": "DEBUG"}, "as in docs/settings.md"),
    "workers": ({"max": 0}, "must be 1 to 1000"),
}
_WRONG_IN_MODULES = {
    "budget": ({"billing_account": "mine"}, "three groups of six"),
    "database": ({"availability": "GLOBAL", "version": "MYSQL_8_0", "tier": "db-n1-standard-1"}, "ZONAL or REGIONAL"),
    "environments": ({"prod": {"branch": "^main$"}}, "needs approval = true"),
    "ingest_publishers": (["allUsers"], "nobody unknown"),
    "max_instances": ({"web": 2, "dispatcher": 6}, "must be 1 to 5"),
    "model_memory": ("64Gi", "8Gi, 16Gi or 32Gi"),
    "people": (["allAuthenticatedUsers"], "the public is none"),
    "secrets": ({"KEY": {"secret": "key", "version": "latest", "processes": ["web"]}}, "by the number of its version"),
    "soft_delete_days": (3, "0, or 7 to 90"),
    "subnet_range": ("10.0.0.0/28", "/24 or larger"),
    "web_url": ("https://mill.example.com/", "without a path"),
    "workers": ({"preemption_notice_seconds": 60, "machine_types": ["t2a-standard-4"]}, "0, 30 or 120"),
}


@pytest.mark.parametrize("wrong", [_WRONG, _WRONG_IN_MODULES], ids=["variables", "modules"])
def test_wrong_values(wrong: dict[str, tuple[Any, str]], plan: Planner) -> None:
    """What cannot work, would be open or would cost is refused before anything is made, in words that help."""
    with pytest.raises(TerraformError) as refusal:
        plan("", **SMALLEST | {name: value for name, (value, _) in wrong.items()})
    assert not [words for _, words in wrong.values() if words not in str(refusal.value)], refusal.value


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"images": SMALLEST["images"] | {"web": "mill/web:1"}}, "must end with their digest", id="tag"),
        pytest.param({"images": None}, "must end with their digest", id="no-images"),
        pytest.param({"settings": {"SPOTMILL_REGION": "x"}}, "sets SPOTMILL_REGION itself", id="setting-twice"),
        pytest.param({"workers": {"gpu": {"type": "nvidia-l4"}}}, "images.worker_gpu", id="gpu"),
        pytest.param(
            {"language_model": {"engine": "openai", "model": "m"}, "secrets": _KEY},
            "set external_ai = true",
            id="outside",
        ),
        pytest.param(
            {
                "language_model": {"engine": "openai", "model": "m", "endpoint": "https://10.my.org"},
                "secrets": _KEY,
            },
            "set external_ai = true",
            id="endpoint-outside",
        ),
        pytest.param({"language_model": {"engine": "gemini", "model": "m"}}, "wants a key", id="no-key"),
        pytest.param(
            {"language_model": {"engine": "gemini", "model": "m", "region": "eu"}, "secrets": _KEY},
            "no other engine has one",
            id="region",
        ),
        pytest.param(
            {"language_model": {"engine": "vertex", "model": "m"}, "secrets": _KEY}, "no key", id="key-for-vertex"
        ),
        pytest.param(
            {"settings": {"SPOTMILL_LANGUAGE_MODEL_KEY": "k"}}, "SPOTMILL_LANGUAGE_MODEL_KEY itself", id="open-key"
        ),
        pytest.param({"settings": {"SPOTMILL_MODELS": "a=b"}}, "sets SPOTMILL_MODELS itself", id="models-twice"),
    ],
)
def test_refusals(options: dict[str, Any], words: str, plan: Planner) -> None:
    """An image by its tag is refused, and what does not fit together."""
    with pytest.raises(TerraformError, match=words):
        plan("", **SMALLEST | options)
