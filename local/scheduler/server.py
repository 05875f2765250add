"""``spotmill local scheduler``: waits for the next due time and publishes, for ever."""

import logging
import signal
import sys
import threading
from datetime import UTC, datetime

import click
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.pubsub_v1 import PubsubMessage

from local.clients import publisher_of
from local.scheduler.schedule import CronJob, Due, next_due

log = logging.getLogger("scheduler")

# The wait is cut into pieces, so that a clock that is set or a machine that slept is noticed.
LOOK_SECONDS = 5.0
# A message that cannot be published within this time is given up: the next one says the same.
PUBLISH_SECONDS = 30.0


class _Jobs(click.ParamType[CronJob]):
    name = "job"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> CronJob:
        try:
            return CronJob.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def _wait(due: Due, stopped: threading.Event) -> None:
    while not stopped.is_set():
        remaining = (due.at - datetime.now(UTC)).total_seconds()
        if remaining <= 0:
            return
        stopped.wait(min(remaining, LOOK_SECONDS))


@click.command()
@click.option("--pubsub-host", envvar="PUBSUB_EMULATOR_HOST", required=True, help="HOST:PORT of Pub/Sub.")
@click.option("--project", envvar="GOOGLE_CLOUD_PROJECT", required=True, help="Project id.")
@click.option(
    "--job", "jobs", type=_Jobs(), multiple=True, required=True, metavar="NAME=SCHEDULE:TOPIC[:BODY]", help="In UTC."
)
def command(pubsub_host: str, project: str, jobs: tuple[CronJob, ...]) -> None:
    """Publishes messages on schedules, as Cloud Scheduler does."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _signal, _frame: stopped.set())
    publisher = publisher_of(pubsub_host)
    click.echo(f"Scheduler with {len(jobs)} job(s)")
    while not stopped.is_set():
        due = next_due(jobs, datetime.now(UTC))
        _wait(due, stopped)
        for job in () if stopped.is_set() else due.jobs:
            topic = f"projects/{project}/topics/{job.topic}"
            try:
                publisher.publish(
                    topic=topic, messages=[PubsubMessage(data=job.message(due.at))], timeout=PUBLISH_SECONDS
                )
                log.info("scheduler.published job=%s due=%s", job.name, due.at.isoformat())
            except (GoogleAPICallError, RetryError) as error:
                log.warning("scheduler.failed job=%s error=%s", job.name, error)
