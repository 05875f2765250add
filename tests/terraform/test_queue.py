"""Topics and subscriptions, compared with what the services expect and with the local cloud."""

import pytest

from local.bootstrap import cloud
from shared.settings import DispatcherSettings, Settings, WorkerSettings
from tests.terraform.conftest import Planner
from tests.terraform.terraform import Plan

MODULE = "modules/queue"
AGENT = "serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com"
MEMBERS = {
    process: f"serviceAccount:{process}@example-project.iam.gserviceaccount.com"
    for process in ("dispatcher", "web", "worker")
}
GIVEN = {"project": "example-project", "project_number": "123456789012", "members": MEMBERS}


def default(settings: type[Settings], name: str) -> object:
    return settings.model_fields[name].default


@pytest.fixture
def queue(plan: Planner) -> Plan:
    return plan(MODULE, **GIVEN)


def test_names(queue: Plan) -> None:
    """The topics and the subscription are called what the services look for unless told otherwise."""
    assert {values["name"] for values in queue.of("google_pubsub_topic").values()} == {
        default(DispatcherSettings, name)
        for name in ("jobs_topic", "ingest_topic", "tick_topic", "budget_topic", "dead_letter_topic")
    }
    assert queue.one("google_pubsub_subscription.jobs")["name"] == default(Settings, "jobs_subscription")


def test_jobs_subscription(queue: Plan) -> None:
    """Workers renew a short deadline; what they give back is to be had at once; idle months end nothing."""
    jobs = queue.one("google_pubsub_subscription.jobs")
    assert jobs["ack_deadline_seconds"] == cloud.ACK_DEADLINE_SECONDS == default(WorkerSettings, "ack_deadline_seconds")
    assert jobs["retry_policy"] == []
    assert jobs["expiration_policy"] == [{"ttl": ""}]
    assert jobs["enable_exactly_once_delivery"] is False
    assert jobs["enable_message_ordering"] is False
    assert jobs["retain_acked_messages"] is False
    assert not jobs["filter"]
    assert jobs["push_config"] == []


def test_retention(queue: Plan) -> None:
    """A queued job is announced again before its message is gone."""
    kept = int(queue.one("google_pubsub_subscription.jobs")["message_retention_duration"].removesuffix("s"))
    assert kept == 31 * 86400
    assert queue.outputs["republish_after_seconds"] < kept
    assert DispatcherSettings.model_fields["republish_after_seconds"].default < 7 * 86400  # the least that may be set


def test_dead_letters(queue: Plan) -> None:
    """What nobody could deliver is kept for as long as Pub/Sub can, in a subscription that never expires."""
    policy = queue.one("google_pubsub_subscription.jobs")["dead_letter_policy"]
    assert [one["max_delivery_attempts"] for one in policy] == [cloud.DEAD_AFTER_DELIVERIES]
    kept = queue.one("google_pubsub_subscription.dead_letter")
    assert kept["message_retention_duration"] == f"{31 * 86400}s"
    assert kept["expiration_policy"] == [{"ttl": ""}]
    assert kept["push_config"] == []


def test_who_may(queue: Plan) -> None:
    """Every process has what it calls, and Pub/Sub's agent what moving dead letters takes; nobody has more."""
    published = {
        (values["topic"], values["role"], values["member"])
        for values in queue.of("google_pubsub_topic_iam_member").values()
    }
    assert published == {
        ("spotmill-jobs", "roles/pubsub.publisher", MEMBERS["dispatcher"]),
        ("spotmill-jobs", "roles/pubsub.publisher", MEMBERS["web"]),
        ("spotmill-jobs-dead", "roles/pubsub.publisher", AGENT),
    }
    pulled = {
        (values["subscription"], values["role"], values["member"])
        for values in queue.of("google_pubsub_subscription_iam_member").values()
    }
    assert pulled == {
        ("spotmill-jobs", "roles/pubsub.subscriber", AGENT),
        ("spotmill-jobs", "roles/pubsub.subscriber", MEMBERS["worker"]),
    }


def test_ingest(plan: Planner) -> None:
    """Other systems may publish to the ingest topic and to no other."""
    archive = "serviceAccount:archive@other-project.iam.gserviceaccount.com"
    grants = plan(MODULE, **GIVEN, ingest_publishers=[archive]).of("google_pubsub_topic_iam_member").values()
    assert [(g["topic"], g["role"]) for g in grants if g["member"] == archive] == [
        ("spotmill-ingest", "roles/pubsub.publisher")
    ]


def test_labels(plan: Planner) -> None:
    """Labels are on everything that can have them."""
    labelled = plan(MODULE, **GIVEN, labels={"team": "media"})
    for kind in ("google_pubsub_topic", "google_pubsub_subscription"):
        assert all(values["labels"] == {"team": "media"} for values in labelled.of(kind).values())
