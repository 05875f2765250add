"""The scheduler publishes what is due, when it is due, in unix-cron's and Cloud Scheduler's words."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from google.cloud.pubsub_v1 import SubscriberClient
from jsonschema import Draft202012Validator, FormatChecker

from eventarc.contract import read_schema
from local.clients import publisher_of, subscriber_of
from local.ports import assign
from local.scheduler.schedule import CronJob, next_due
from local.scheduler.server import command
from shared.messages import Tick
from tests.cloud import wait_for

NOON = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "moment", "due"),
    [
        ("* * * * *", NOON, NOON + timedelta(minutes=1)),
        ("* * * * *", NOON + timedelta(seconds=59.9), NOON + timedelta(minutes=1)),
        ("17 3 * * *", NOON, datetime(2026, 3, 1, 3, 17, tzinfo=UTC)),
        ("*/15 * * * *", NOON + timedelta(minutes=46), NOON + timedelta(hours=1)),
        ("0 9 * * MON", NOON, datetime(2026, 3, 2, 9, 0, tzinfo=UTC)),
        ("0 0 29 2 *", NOON, datetime(2028, 2, 29, 0, 0, tzinfo=UTC)),
    ],
)
def test_a_job_is_due_when_its_schedule_says(schedule: str, moment: datetime, due: datetime) -> None:
    """Five fields of unix-cron name the next minute that fits."""
    assert CronJob.parse(f"job={schedule}:topic").after(moment) == due


def test_what_comes_first_is_waited_for() -> None:
    """Jobs of one minute are due together, later ones not yet."""
    jobs = [CronJob.parse(f"{n}={s}:t") for n, s in (("a", "5 * * * *"), ("b", "*/5 * * * *"), ("c", "6 * * * *"))]
    due = next_due(jobs, NOON)
    assert due.at == NOON + timedelta(minutes=5)
    assert [job.name for job in due.jobs] == ["a", "b"]


def test_times_that_passed_unseen_are_left_out() -> None:
    """After a night asleep there is one next tick, not eight hours of them."""
    job = CronJob.parse("tick=* * * * *:t")
    assert next_due([job], NOON + timedelta(hours=8)).at == NOON + timedelta(hours=8, minutes=1)


def test_a_message_carries_its_time_and_its_body() -> None:
    """The dispatcher can tell which task it is and which minute it was meant for."""
    message = CronJob.parse('r=* * * * *:topic:{"task": "reconcile"}').message(NOON)
    Draft202012Validator(read_schema("tick"), format_checker=FormatChecker()).validate(json.loads(message))
    assert Tick.parse(message) == Tick(scheduled_at=NOON, task="reconcile")


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ("* * * * *:topic", "NAME=SCHEDULE:TOPIC"),
        ("tick=* * * * *", "NAME=SCHEDULE:TOPIC"),
        ("tick=* * * *:topic", "five fields"),
        ("tick=* * * * * *:topic", "five fields"),
        ("tick=61 * * * *:topic", "no schedule"),
        ("tick=* * * * *:topic:{", "no JSON"),
        ("tick=* * * * *:topic:[1]", "no JSON object"),
    ],
)
def test_a_wrong_job_is_refused_with_a_reason(job: str, complaint: str) -> None:
    """A mistake on the command line is named before anything starts."""
    result = CliRunner().invoke(command, ["--pubsub-host", "127.0.0.1:1", "--project", "p", "--job", job])
    assert result.exit_code == 2
    assert complaint in result.output


@pytest.fixture
def ticks(tmp_path: Path) -> Iterator[tuple[SubscriberClient, str]]:
    """A subscription of the topic that a running scheduler publishes to each minute."""
    port = assign(["pubsub"], {})["pubsub"]
    host = f"127.0.0.1:{port}"
    start = [sys.executable, "-m", "spotmill", "local"]
    servers = [subprocess.Popen([*start, "pubsub", "--port", str(port), "--data-dir", str(tmp_path)])]
    try:
        name = "projects/p/subscriptions/ticks"
        publisher_of(host).create_topic(name="projects/p/topics/tick")
        subscriber = subscriber_of(host)
        subscriber.create_subscription(name=name, topic="projects/p/topics/tick")
        job = 'tick=* * * * *:tick:{"task": "tick"}'
        servers.append(subprocess.Popen([*start, "scheduler", "--pubsub-host", host, "--project", "p", "--job", job]))
        with subscriber:
            yield subscriber, name
    finally:
        for server in reversed(servers):
            server.send_signal(signal.SIGTERM)
            assert server.wait(10) == 0


def test_a_tick_is_published_each_minute(ticks: tuple[SubscriberClient, str]) -> None:
    """At the next full minute the message is there, and it is not old."""
    subscriber, name = ticks

    def pulled() -> list[bytes]:
        request = {"subscription": name, "max_messages": 1, "return_immediately": True}
        return [received.message.data for received in subscriber.pull(request=request).received_messages]

    tick = Tick.parse(wait_for(pulled, timeout=90)[0])
    assert tick.scheduled_at is not None
    assert (tick.scheduled_at.second, tick.scheduled_at.microsecond) == (0, 0)
