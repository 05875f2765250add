"""The database: closed, signed in to with IAM, restorable, and never promised more connections than it takes."""

import pytest

from tests.terraform.conftest import Planner
from tests.terraform.deployments import SMALLEST
from tests.terraform.terraform import Plan, TerraformError


def test_instance_is_closed(smallest: Plan) -> None:
    """The instance has no public address, and takes nobody without a certificate of the connector's and IAM."""
    (instance,) = smallest.of("google_sql_database_instance").values()
    (settings,) = instance["settings"]
    (addresses,) = settings["ip_configuration"]
    assert addresses["ipv4_enabled"] is False
    assert addresses["authorized_networks"] == []
    assert addresses["ssl_mode"] == "TRUSTED_CLIENT_CERTIFICATE_REQUIRED"
    assert settings["connector_enforcement"] == "REQUIRED"
    assert {"name": "cloudsql.iam_authentication", "value": "on"} in settings["database_flags"]


def test_smallest_machine(smallest: Plan) -> None:
    """The default is Google's cheapest, in the one edition that has it; its disk cannot grow for ever."""
    (settings,) = smallest.one("module.database.google_sql_database_instance.this")["settings"]
    assert (settings["edition"], settings["tier"], settings["availability_type"]) == (
        "ENTERPRISE",
        "db-f1-micro",
        "ZONAL",
    )
    assert (settings["disk_type"], settings["disk_size"], settings["disk_autoresize_limit"]) == ("PD_SSD", 10, 100)
    assert settings["activation_policy"] == "ALWAYS"


def test_restorable(smallest: Plan) -> None:
    """There are a week of backups and the log between them, a window for maintenance, and no deletion by accident."""
    instance = smallest.one("module.database.google_sql_database_instance.this")
    (settings,) = instance["settings"]
    (backup,) = settings["backup_configuration"]
    assert backup["enabled"] is True
    assert backup["point_in_time_recovery_enabled"] is True
    assert backup["transaction_log_retention_days"] == 7
    assert backup["backup_retention_settings"] == [{"retained_backups": 7, "retention_unit": "COUNT"}]
    (window,) = settings["maintenance_window"]
    assert (window["day"], window["hour"], window["update_track"]) == (7, 4, "stable")
    assert instance["deletion_protection"] is True
    assert settings["deletion_protection_enabled"] is True


def test_users(smallest: Plan) -> None:
    """Each process has a user of its own account; only the migrator's starts with any rights."""
    users = {user["name"]: user["database_roles"] for user in smallest.of("google_sql_user").values()}
    assert users == {
        "spotmill-web@mill.iam": None,
        "spotmill-dispatcher@mill.iam": None,
        "spotmill-worker@mill.iam": None,
        "spotmill-migrator@mill.iam": ["cloudsqlsuperuser"],
    }


def test_everything(everything: Plan) -> None:
    """Options reach the instance: a standby, another version, a larger machine, stopped, and free to be deleted."""
    (instance,) = everything.of("google_sql_database_instance").values()
    (settings,) = instance["settings"]
    assert instance["database_version"] == "POSTGRES_17"
    assert (settings["tier"], settings["availability_type"]) == ("db-custom-2-7680", "REGIONAL")
    assert (settings["disk_size"], settings["disk_autoresize_limit"]) == (20, 50)
    assert settings["activation_policy"] == "NEVER"
    assert instance["deletion_protection"] is False
    assert all(job["paused"] for job in everything.of("google_cloud_scheduler_job").values())


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        pytest.param({"workers": {"max": 3}}, "worker 3 x 4", id="workers"),
        pytest.param({"max_instances": {"web": 5}}, "web 5 x 2", id="web"),
    ],
)
def test_too_many_connections(options: dict[str, object], numbers: str, plan: Planner) -> None:
    """A plan that could open more connections than the tier takes fails, and says who would open how many."""
    with pytest.raises(TerraformError, match=numbers):
        plan("", **SMALLEST | options)


def test_tiers_of_another_edition(plan: Planner) -> None:
    """A tier that the cheap edition does not have is refused by its name."""
    with pytest.raises(TerraformError, match="those of the Enterprise edition"):
        plan("", **SMALLEST | {"database": {"tier": "db-perf-optimized-N-2"}})
