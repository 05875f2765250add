"""What `spotmill cost` reckons with is what Terraform makes if nothing else is said."""

from decimal import Decimal

import yaml

from spotmill.cost.deployment import Deployment
from tests.terraform.terraform import REPOSITORY, Plan

DEFAULT = Deployment()


def test_database(smallest: Plan) -> None:
    """Tier, standby, disk; it runs."""
    (instance,) = smallest.of("google_sql_database_instance").values()
    (settings,) = instance["settings"]
    assert instance["region"] == DEFAULT.region
    assert settings["edition"] == "ENTERPRISE"
    assert settings["tier"] == DEFAULT.tier
    assert (settings["availability_type"] == "REGIONAL") is DEFAULT.regional
    assert (settings["disk_type"], settings["disk_size"]) == ("PD_SSD", DEFAULT.disk_gb)
    assert settings["activation_policy"] == "ALWAYS"


def test_services(smallest: Plan) -> None:
    """Each instance has one CPU and this memory, is paid for by request, and none is kept."""
    services = smallest.of("google_cloud_run_v2_service").values()
    for service in services:
        (template,) = service["template"]
        (container,) = template["containers"]
        (resources,) = container["resources"]
        assert resources["limits"] == {"cpu": "1", "memory": f"{int(DEFAULT.service_memory_gib * 1024)}Mi"}
        assert resources["cpu_idle"] is True
        assert template["scaling"][0]["min_instance_count"] == 0


def test_schedule(smallest: Plan) -> None:
    """As many jobs, one of them each minute."""
    jobs = smallest.of("google_cloud_scheduler_job").values()
    assert len(jobs) == DEFAULT.scheduler_jobs
    assert sorted(job["schedule"].startswith("* * * * *") for job in jobs) == [False, True]


def test_metrics_and_alerts(smallest: Plan) -> None:
    """As many metrics of each kind, and as many named by alerts."""
    kinds = [metric["metric_descriptor"][0]["value_type"] for metric in smallest.of("google_logging_metric").values()]
    assert (kinds.count("INT64"), kinds.count("DISTRIBUTION")) == (DEFAULT.counters, DEFAULT.distributions)
    named = 0
    for policy in smallest.of("google_monitoring_alert_policy").values():
        for condition in policy["conditions"]:
            (threshold,) = condition["condition_threshold"]
            named += 2 if threshold.get("denominator_filter") else 1
    assert named == DEFAULT.alert_metrics


def test_workers(smallest: Plan) -> None:
    """Spot VMs of this type with this disk, and as many of them."""
    (template,) = smallest.of("google_compute_region_instance_template").values()
    (disk,) = template["disk"]
    assert template["machine_type"] == DEFAULT.machine_type
    assert template["scheduling"][0]["provisioning_model"] == "SPOT"
    assert not template.get("guest_accelerator")
    assert (disk["disk_type"], disk["disk_size_gb"]) == ("pd-balanced", DEFAULT.vm_disk_gb)
    assert smallest.outputs["settings"]["web"]["SPOTMILL_MAX_WORKERS"] == str(DEFAULT.max_workers)


def test_what_is_not_there(smallest: Plan) -> None:
    """Nothing that is paid for by the hour: no NAT, no address, no load balancer, no VM, no connector."""
    kinds = {resource.type for resource in smallest.resources.values()}
    costly = ("_router_nat", "_compute_address", "_forwarding_rule", "_compute_instance", "_vpc_access_connector")
    assert not [kind for kind in kinds if kind.endswith(costly)]


def test_budget(smallest: Plan) -> None:
    """The project's is the one that the report speaks of."""
    (amount,) = smallest.one('module.budget.google_billing_budget.this["project"]')["amount"]
    (specified,) = amount["specified_amount"]
    usd = Decimal(specified["units"]) + Decimal(specified["nanos"]) / 10**9
    assert (usd, specified["currency_code"]) == (DEFAULT.project_budget_usd, "USD")


def test_builds() -> None:
    """Cloud Build works on the machine whose minutes are priced."""
    machine = yaml.safe_load((REPOSITORY / "cloudbuild.yaml").read_text(encoding="utf-8"))["options"]["machineType"]
    assert machine == "E2_HIGHCPU_8"
