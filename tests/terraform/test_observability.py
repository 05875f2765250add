"""Metrics, dashboard and alerts, as planned; and whether what they look for is what our programs say."""

import json
import re
from typing import Any

import pytest

from tests.terraform.conftest import Planner
from tests.terraform.log_events import logged
from tests.terraform.terraform import REPOSITORY, Plan

GIVEN = {
    "project": "mill",
    "database_instance": "spotmill",
    "database_max_connections": 25,
    "subscription": "spotmill-jobs",
    "notification_emails": ["mill@example.com"],
}
#: Metrics of Google's own that dashboard and alerts look at, each with its page.
GOOGLES = {
    # https://cloud.google.com/monitoring/api/metrics_gcp_c#gcp-cloudsql
    "cloudsql.googleapis.com/database/postgresql/num_backends",
    # https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub
    "pubsub.googleapis.com/subscription/dead_letter_message_count",
    "pubsub.googleapis.com/subscription/num_undelivered_messages",
    # https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-run
    "run.googleapis.com/request_count",
    "run.googleapis.com/request_latencies",
}
#: Aligners that make one value of a distribution, or keep it one for a reducer of percentiles.
_OF_DISTRIBUTIONS = {"ALIGN_DELTA", "ALIGN_PERCENTILE_50", "ALIGN_PERCENTILE_99"}
_METRIC = re.compile(r'metric\.type="([^"]+)"')
_EVENT = re.compile(r"jsonPayload\.message=(?:\"([^\"]+)\"|\(([^)]+)\))")
_FIELD = re.compile(r"jsonPayload\.(\w+)")


@pytest.fixture
def planned(plan: Planner) -> Plan:
    """The defaults."""
    return plan("modules/observability", **GIVEN)


def metrics(planned: Plan) -> dict[str, dict[str, Any]]:
    """Return the log-based metrics by type."""
    return {f"logging.googleapis.com/user/{m['name']}": m for m in planned.of("google_logging_metric").values()}


def events_of(metric: dict[str, Any]) -> set[str]:
    """Return the events that a metric counts."""
    found = set()
    for one, several in _EVENT.findall(metric["filter"]):
        found |= {one} if one else set(re.findall(r'"([^"]+)"', several))
    return found


def conditions(planned: Plan) -> dict[str, list[dict[str, Any]]]:
    """Return the conditions of the alerts by heading."""
    alerts = planned.of("google_monitoring_alert_policy")
    return {
        address.split('"')[1]: [condition["condition_threshold"][0] for condition in alert["conditions"]]
        for address, alert in alerts.items()
    }


def data_sets(planned: Plan) -> list[dict[str, Any]]:
    """Return what the dashboard draws."""
    drawn = json.loads(planned.one("google_monitoring_dashboard.this")["dashboard_json"])
    charts = [tile["widget"]["xyChart"] for tile in drawn["mosaicLayout"]["tiles"] if "xyChart" in tile["widget"]]
    return [data_set for chart in charts for data_set in chart["dataSets"]]


def test_what_is_counted_is_said(planned: Plan) -> None:
    """Every metric counts events that our programs log, by fields that those have."""
    said = logged()
    for name, metric in metrics(planned).items():
        required = re.sub(r" NOT jsonPayload\.\S+", "", metric["filter"])  # true without the field, too
        read = [required, metric["value_extractor"] or "", *(metric["label_extractors"] or {}).values()]
        events = events_of(metric)
        assert events, name
        for event in events:
            assert set(_FIELD.findall(" ".join(read))) - {"message"} <= said[event], f"{name} of {event}"


def test_metrics_are_whole(planned: Plan) -> None:
    """Counters count, distributions have a value and buckets, and labels are both described and extracted."""
    for name, metric in metrics(planned).items():
        (descriptor,) = metric["metric_descriptor"]
        labels = {label["key"] for label in descriptor["labels"]}
        assert labels == set(metric["label_extractors"] or {}), name
        counts = descriptor["value_type"] == "INT64"
        assert descriptor["metric_kind"] == "DELTA"
        assert counts == (metric["value_extractor"] is None) == (not metric["bucket_options"]), name
        assert re.search(r'resource\.type="(cloud_run_revision|gce_instance)"', metric["filter"]), name


def test_issue_is_measured(planned: Plan) -> None:
    """Jobs, waits, durations, preemptions, lease losses, queue age and cost are measured, by outcome and pipeline."""
    labels = {name.rsplit("/", 1)[-1]: set(m["label_extractors"] or {}) for name, m in metrics(planned).items()}
    assert labels["jobs"] == labels["duration_seconds"] == {"outcome", "pipeline"}
    assert labels["wait_seconds"] == {"pipeline"}
    assert {"preemptions", "lease_losses", "takeovers", "queue_age_seconds", "run_cost_usd"} <= set(labels)


def test_dashboard_draws_what_exists(planned: Plan) -> None:
    """The dashboard draws what is made here or Google's own; what is made is drawn or in an alert."""
    made = metrics(planned)
    drawn = {_METRIC.findall(d["timeSeriesQuery"]["timeSeriesFilter"]["filter"])[0] for d in data_sets(planned)}
    alerted = {_METRIC.findall(c["filter"])[0] for several in conditions(planned).values() for c in several}
    assert drawn | alerted == set(made) | GOOGLES


def test_dashboard_aligns_distributions(planned: Plan) -> None:
    """A distribution is drawn by its percentiles or mean, a counter by its sum."""
    made = metrics(planned)
    for data_set in data_sets(planned):
        asked = data_set["timeSeriesQuery"]["timeSeriesFilter"]
        metric = made.get(_METRIC.findall(asked["filter"])[0])
        aligner, reducer = (asked["aggregation"][key] for key in ("perSeriesAligner", "crossSeriesReducer"))
        if metric is None:
            continue
        if metric["value_extractor"] is None:
            assert (aligner, reducer) == ("ALIGN_DELTA", "REDUCE_SUM")
        else:
            assert aligner in _OF_DISTRIBUTIONS
            assert aligner != "ALIGN_DELTA" or reducer.startswith(("REDUCE_PERCENTILE", "REDUCE_MEAN"))


def test_dashboard_fits(planned: Plan) -> None:
    """No tile lies on another or beyond the edge."""
    drawn = json.loads(planned.one("google_monitoring_dashboard.this")["dashboard_json"])["mosaicLayout"]
    taken: set[tuple[int, int]] = set()
    for tile in drawn["tiles"]:
        across = range(tile["xPos"], tile["xPos"] + tile["width"])
        squares = {(x, y) for x in across for y in range(tile["yPos"], tile["yPos"] + tile["height"])}
        assert across[-1] < drawn["columns"]
        assert not squares & taken
        taken |= squares


def test_every_alert_has_a_runbook(planned: Plan) -> None:
    """Every alert says what to do, and where that is written; the operations page has these headings."""
    page = (REPOSITORY / "docs/operations.md").read_text()
    chapter = re.split(r"^## ", page, flags=re.MULTILINE)
    (alerts,) = (part for part in chapter if part.startswith("Alerts\n"))
    headings = set(re.findall(r"^### (\S+)$", alerts, re.MULTILINE))
    assert headings == set(conditions(planned)) == set(planned.outputs["alerts"])
    for address, alert in planned.of("google_monitoring_alert_policy").items():
        (documentation,) = alert["documentation"]
        assert documentation["content"].endswith(f"docs/operations.md#{address.split(chr(34))[1]}")
        assert len(documentation["content"].split("\n\n")[0]) > 40


def test_alerts_link_to_the_page(plan: Planner) -> None:
    """With the repository's address, an alert links to its heading."""
    planned = plan("modules/observability", **GIVEN, docs_url="https://github.com/example/mill/blob/main")
    alert = planned.one('google_monitoring_alert_policy.this["queue-stuck"]')
    (link,) = alert["documentation"][0]["links"]
    assert link["url"] == "https://github.com/example/mill/blob/main/docs/operations.md#queue-stuck"


def test_alerts_can_fire(planned: Plan) -> None:
    """What a condition waits for can come: no more ticks in a period than minutes, a resource for every metric."""
    for heading, several in conditions(planned).items():
        for condition in several:
            (aggregation,) = condition["aggregations"]
            period = int(aggregation["alignment_period"].rstrip("s"))
            assert period >= 60
            assert "resource.type=" in condition["filter"]
            if "ticks" in condition["filter"] and condition["comparison"] == "COMPARISON_GT":
                assert condition["threshold_value"] < period / 60, heading


def test_a_queue_may_wait(planned: Plan) -> None:
    """A queue that waits for somebody to press Run, or is paused, alerts nobody."""
    (stuck,) = (m for name, m in metrics(planned).items() if name.endswith("/ticks_stuck_queue"))
    for needed in ("run_open=true", "paused=false", "workers=0", "oldest_seconds>900"):
        assert f"jsonPayload.{needed}" in stuck["filter"]
    (condition,) = conditions(planned)["queue-stuck"]
    assert _METRIC.findall(condition["filter"]) == ["logging.googleapis.com/user/spotmill/ticks_stuck_queue"]


def test_silence_is_told(planned: Plan) -> None:
    """Missing ticks alert, also when the log has stopped altogether; elsewhere no news is good news."""
    for heading, several in conditions(planned).items():
        for condition in several:
            missing = condition["evaluation_missing_data"]
            assert missing == ("EVALUATION_MISSING_DATA_ACTIVE" if heading == "tick-missing" else None)
    (missing,) = conditions(planned)["tick-missing"]
    assert (missing["comparison"], missing["threshold_value"]) == ("COMPARISON_LT", 1)
    assert int(missing["duration"].rstrip("s")) >= 60  # Google evaluates missing data only then


def test_thresholds(planned: Plan) -> None:
    """The numbers of the conditions."""
    told = {heading: [c["threshold_value"] for c in several] for heading, several in conditions(planned).items()}
    assert told == {
        "database-connections": [20],
        "dead-letters": [0, 0],
        "failure-rate": [0.2, 5],
        "queue-stuck": [7],
        "server-errors": [5],
        "stray-fleet": [24],
        "tick-missing": [1],
        "worker-crash-loop": [3],
    }


def test_failures_are_a_share(planned: Plan) -> None:
    """The failure rate is of all jobs that are over, and counts only together with a number of them."""
    share, number = conditions(planned)["failure-rate"]
    assert share["denominator_filter"] == share["filter"].replace(' metric.label.outcome="failed"', "")
    assert share["denominator_aggregations"] == share["aggregations"]
    assert number["denominator_filter"] is None
    alert = planned.one('google_monitoring_alert_policy.this["failure-rate"]')
    assert alert["combiner"] == "AND"


def test_alerts_close(planned: Plan) -> None:
    """An alert without news closes by itself after a day, and goes to everybody who was named."""
    for alert in planned.of("google_monitoring_alert_policy").values():
        assert [s["auto_close"] for s in alert["alert_strategy"]] == ["86400s"]
        assert alert["severity"] in {"CRITICAL", "ERROR", "WARNING"}
    (channel,) = planned.of("google_monitoring_notification_channel").values()
    assert (channel["type"], channel["labels"]) == ("email", {"email_address": "mill@example.com"})
