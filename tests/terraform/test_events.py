"""Triggers and schedules, compared with the definition, the sample events and the local cloud."""

import base64
import json
from typing import Any

import pytest

from eventarc.contract import read_sample
from eventarc.triggers import StorageTrigger, TopicTrigger, read_triggers
from local.programs import JOBS
from shared.messages import Tick
from tests.terraform.conftest import Planner
from tests.terraform.terraform import Plan

MODULE = "modules/events"
EMAIL = "spotmill-events@example-project.iam.gserviceaccount.com"
TOPICS = {
    "budget": "spotmill-budget",
    "dead_letter": "spotmill-jobs-dead",
    "ingest": "spotmill-ingest",
    "tick": "spotmill-tick",
}
GIVEN = {
    "project": "example-project",
    "region": "us-west1",
    "service": "spotmill-dispatcher",
    "events_email": EMAIL,
    "upload_bucket": "example-uploads",
    "topics": TOPICS,
}
NAMES = {f"{name}_topic": topic for name, topic in TOPICS.items()} | {"upload_bucket": "example-uploads"}
TRIGGERS = read_triggers(NAMES)


@pytest.fixture
def events(plan: Planner) -> Plan:
    return plan(MODULE, **GIVEN)


def planned(events: Plan, name: str) -> dict[str, Any]:
    return events.one(f'google_eventarc_trigger.this["{name}"]')


def criteria(trigger: dict[str, Any]) -> dict[str, str]:
    """Return what events are chosen by; without an operator, values must be equal."""
    assert not any(one["operator"] for one in trigger["matching_criteria"])
    return {one["attribute"]: one["value"] for one in trigger["matching_criteria"]}


def test_all_triggers(events: Plan) -> None:
    """Terraform makes of the definition exactly the triggers that the local router makes of it."""
    assert set(events.outputs["triggers"]) == {trigger.name for trigger in TRIGGERS}
    assert len(events.of("google_eventarc_trigger")) == len(TRIGGERS)


@pytest.mark.parametrize("trigger", TRIGGERS, ids=[trigger.name for trigger in TRIGGERS])
def test_trigger(trigger: StorageTrigger | TopicTrigger, events: Plan) -> None:
    """A trigger chooses its events, hears them from its topic or bucket, and calls the dispatcher as one account."""
    made = planned(events, trigger.name)
    wanted: dict[str, str] = {"type": trigger.event_type}
    if isinstance(trigger, StorageTrigger):
        wanted["bucket"] = trigger.filters.bucket
        assert made["transport"] == []
    else:
        assert [one["pubsub"][0]["topic"] for one in made["transport"]] == [
            f"projects/example-project/topics/{trigger.topic}"
        ]
    assert criteria(made) == wanted
    assert made["service_account"] == EMAIL
    assert made["location"] == "us-west1"  # Cloud Storage events are had in the bucket's own location only
    services = [one["cloud_run_service"] for one in made["destination"]]
    assert services == [[{"service": "spotmill-dispatcher", "region": "us-west1", "path": trigger.path}]]


def test_names(events: Plan) -> None:
    """The names are ours among others of the project, and Eventarc accepts them."""
    names = [values["name"] for values in events.of("google_eventarc_trigger").values()]
    assert all(name.startswith("spotmill-") and len(name) <= 63 for name in names)


@pytest.mark.parametrize("task", ["tick", "reconcile"])
def test_message(task: str, events: Plan) -> None:
    """Cloud Scheduler says what the sample events say, on the tick topic, and the dispatcher understands it."""
    job = events.one(f'google_cloud_scheduler_job.this["{task}"]')
    target = job["pubsub_target"][0]
    said = base64.b64decode(target["data"])
    sample = read_sample(f"pubsub-{task}").body["message"]["data"]
    assert json.loads(said) == json.loads(base64.b64decode(sample))
    assert Tick.parse(said).task == task
    assert target["topic_name"] == "projects/example-project/topics/spotmill-tick"


def test_schedules(events: Plan) -> None:
    """The schedules are those of the local cloud, in UTC and in the region that was asked for."""
    jobs = events.of("google_cloud_scheduler_job").values()
    assert {(job["name"], job["schedule"]) for job in jobs} == {(f"spotmill-{name}", cron) for name, cron, _ in JOBS}
    assert {(job["time_zone"], job["region"], job["paused"]) for job in jobs} == {("Etc/UTC", "us-west1", False)}


def test_retries(events: Plan) -> None:
    """A lost tick is followed by another in a minute; a reconcile that could not be published is tried again."""
    assert events.one('google_cloud_scheduler_job.this["tick"]')["retry_config"] == []
    (retry,) = events.one('google_cloud_scheduler_job.this["reconcile"]')["retry_config"]
    assert retry["retry_count"] == 5
    assert retry["max_retry_duration"] == "3600s"


def test_no_deadline(events: Plan) -> None:
    """Cloud Scheduler ignores a deadline where it publishes, and Terraform would set it at every apply."""
    assert all(not job.get("attempt_deadline") for job in events.of("google_cloud_scheduler_job").values())


def test_paused(plan: Planner) -> None:
    """While the database is stopped, nothing asks for it every minute."""
    jobs = plan(MODULE, **GIVEN, paused=True).of("google_cloud_scheduler_job").values()
    assert [job["paused"] for job in jobs] == [True, True]
