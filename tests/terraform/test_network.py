"""What reaches into the network of the workers, and what out of it."""

import pytest

from tests.terraform.conftest import Planner
from tests.terraform.terraform import Plan, TerraformError

MODULE = "modules/network"
GIVEN = {
    "project": "example-project",
    "region": "us-east1",
    "worker_email": "spotmill-worker@example-project.iam.gserviceaccount.com",
}
#: Where Identity-Aware Proxy's tunnels end (https://cloud.google.com/iap/docs/using-tcp-forwarding).
IAP_TUNNELS = "35.235.240.0/20"


@pytest.fixture
def network(plan: Planner) -> Plan:
    return plan(MODULE, **GIVEN)


def test_nothing_else(network: Plan) -> None:
    """By default there are a network, a subnet and the way to the database: no rule, no router, no external address."""
    assert sorted(resource.type for resource in network.resources.values()) == [
        "google_compute_global_address",
        "google_compute_network",
        "google_compute_subnetwork",
        "google_service_networking_connection",
    ]


def test_subnet(network: Plan) -> None:
    """Workers without an external address reach Google's APIs, from one subnet in the region that was asked for."""
    assert network.one("google_compute_network.this")["auto_create_subnetworks"] is False
    subnet = network.one("google_compute_subnetwork.this")
    assert subnet["private_ip_google_access"] is True
    assert subnet["region"] == "us-east1"
    assert subnet["stack_type"] == "IPV4_ONLY"


def test_way_to_the_database(network: Plan) -> None:
    """Cloud SQL gets internal addresses, and a destroy is not held up by Google's end of the peering."""
    addresses = network.one("google_compute_global_address.services")
    assert (addresses["purpose"], addresses["address_type"]) == ("VPC_PEERING", "INTERNAL")
    connection = network.one("google_service_networking_connection.services")
    assert connection["service"] == "servicenetworking.googleapis.com"
    assert connection["deletion_policy"] == "ABANDON"
    assert connection["update_on_creation_fail"] is True


def test_ssh(plan: Planner) -> None:
    """The one rule that lets anything in is for SSH from Identity-Aware Proxy to workers, and is logged."""
    rules = plan(MODULE, **GIVEN, allow_ssh=True).of("google_compute_firewall")
    assert len(rules) == 1
    rule = rules["google_compute_firewall.ssh[0]"]
    assert rule["direction"] == "INGRESS"
    assert rule["source_ranges"] == [IAP_TUNNELS]
    assert rule["target_service_accounts"] == [GIVEN["worker_email"]]
    assert rule["allow"] == [{"protocol": "tcp", "ports": ["22"]}]
    assert rule["log_config"] == [{"metadata": "INCLUDE_ALL_METADATA"}]


def test_external_ai(plan: Planner) -> None:
    """Only for an AI engine outside Google is there a NAT, for the one subnet."""
    opened = plan(MODULE, **GIVEN, external_ai=True)
    nat = opened.one("google_compute_router_nat.this[0]")
    assert nat["source_subnetwork_ip_ranges_to_nat"] == "LIST_OF_SUBNETWORKS"
    assert [subnet["source_ip_ranges_to_nat"] for subnet in nat["subnetwork"]] == [["PRIMARY_IP_RANGE"]]
    assert nat["nat_ip_allocate_option"] == "AUTO_ONLY"
    assert not opened.of("google_compute_firewall")


@pytest.mark.parametrize("length", [15, 25])
def test_range_for_the_database(length: int, plan: Planner) -> None:
    """A range that Cloud SQL would refuse is refused before anything is made."""
    with pytest.raises(TerraformError, match="/16 to /24"):
        plan(MODULE, **GIVEN, services_prefix_length=length)
