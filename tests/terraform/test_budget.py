"""The two budgets, as planned."""

from itertools import product
from typing import Any

import pytest

from services.dispatcher.handlers.budget import BudgetNotification
from tests.terraform.conftest import Planner
from tests.terraform.terraform import Plan, TerraformError

GIVEN = {
    "project": "mill",
    "project_number": "123456789012",
    "billing_account": "012345-6789AB-CDEF01",
    "topic": "spotmill-budget",
    "worker_label": {"spotmill-part": "worker"},
    "channels": ["projects/mill/notificationChannels/1"],
}


def budgets(planned: Plan) -> dict[str, dict[str, Any]]:
    """Return the budgets by their display name."""
    return {budget["display_name"]: budget for budget in planned.of("google_billing_budget").values()}


def test_amounts(plan: Planner) -> None:
    """The project has 5 dollars a month by default, of what the bill says; the workers their own, credits or not."""
    project, workers = (budgets(plan("modules/budget", **GIVEN))[f"spotmill-{name}"] for name in ("project", "workers"))
    for budget, units, credit in ((project, "5", "INCLUDE_ALL_CREDITS"), (workers, "20", "EXCLUDE_ALL_CREDITS")):
        (amount,) = budget["amount"]
        assert amount["specified_amount"] == [{"currency_code": "USD", "nanos": 0, "units": units}]
        assert amount["last_period_amount"] is None  # Google takes one of the two
        (asked,) = budget["budget_filter"]
        assert (asked["projects"], asked["calendar_period"]) == (["projects/123456789012"], "MONTH")
        assert asked["credit_types_treatment"] == credit


def test_thresholds(plan: Planner) -> None:
    """Mails are sent at 50, 90 and 100 % of what was spent and of the forecast, to the channels alone."""
    for budget in budgets(plan("modules/budget", **GIVEN)).values():
        rules = {(rule["threshold_percent"], rule["spend_basis"]) for rule in budget["threshold_rules"]}
        assert rules == set(product((0.5, 0.9, 1), ("CURRENT_SPEND", "FORECASTED_SPEND")))
        (told,) = budget["all_updates_rule"]
        assert told["monitoring_notification_channels"] == GIVEN["channels"]
        assert told["disable_default_iam_recipients"] is True


def test_nobody_named(plan: Planner) -> None:
    """Without channels the billing account's own administrators get the mails; no rule is made that tells nobody."""
    planned = budgets(plan("modules/budget", **(GIVEN | {"channels": []})))
    assert planned["spotmill-project"]["all_updates_rule"] == []
    (rule,) = planned["spotmill-workers"]["all_updates_rule"]
    assert rule["disable_default_iam_recipients"] is False
    assert not rule["monitoring_notification_channels"]


def test_the_workers_budget_stops_the_fleet(plan: Planner) -> None:
    """The workers' budget alone is published, in the form that the dispatcher reads, and filtered by the VMs' label."""
    planned = plan("modules/budget", **GIVEN)
    rules = {name: budget["all_updates_rule"][0] for name, budget in budgets(planned).items()}
    assert rules["spotmill-project"]["pubsub_topic"] is None
    assert rules["spotmill-workers"]["pubsub_topic"] == "projects/mill/topics/spotmill-budget"
    assert rules["spotmill-workers"]["schema_version"] == "1.0"
    labels = {name: budget["budget_filter"][0].get("labels") for name, budget in budgets(planned).items()}
    assert labels["spotmill-workers"] == GIVEN["worker_label"]
    assert not labels["spotmill-project"]
    assert BudgetNotification.model_validate({"costAmount": 20, "budgetAmount": 20}).cost == 20


def test_who_publishes(plan: Planner) -> None:
    """Cloud Billing's own account publishes to the budget topic, and nobody else by this module."""
    (grant,) = plan("modules/budget", **GIVEN).of("google_pubsub_topic_iam_member").values()
    assert grant["member"] == "serviceAccount:billing-budget-alert@system.gserviceaccount.com"
    assert (grant["topic"], grant["role"]) == ("spotmill-budget", "roles/pubsub.publisher")


def test_without_a_billing_account(plan: Planner) -> None:
    """Without a billing account there is no budget."""
    assert plan("modules/budget", **(GIVEN | {"billing_account": None})).resources == {}


def test_refusals(plan: Planner) -> None:
    """What the Budget API would refuse is an error at plan time."""
    wrong = {
        "billing_account": ("my account", "hexadecimal"),
        "channels": ([f"projects/mill/notificationChannels/{n}" for n in range(6)], "five channels"),
        "worker_label": ({}, "one label"),
    }
    with pytest.raises(TerraformError) as refused:
        plan("modules/budget", **(GIVEN | {name: value for name, (value, _) in wrong.items()}))
    assert [said for _, said in wrong.values() if said not in str(refused.value)] == []
