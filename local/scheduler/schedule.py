"""Which job is due when, and what it publishes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from cronsim import CronSim, CronSimError


@dataclass(frozen=True, slots=True)
class CronJob:
    """One job: a unix-cron schedule in UTC, the topic it publishes to, and the JSON object it publishes."""

    name: str
    schedule: str
    topic: str
    body: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME=SCHEDULE:TOPIC[:BODY]``.

        Raises:
            ValueError: a part is missing, the schedule is no unix-cron schedule or the body is no JSON object.
        """
        name, _, rest = text.partition("=")
        schedule, _, rest = rest.partition(":")
        topic, _, body = rest.partition(":")
        if not (name and topic):
            raise ValueError(f"{text!r} is not NAME=SCHEDULE:TOPIC[:BODY]")
        if len(schedule.split()) != 5:  # the parser below would also take a field for seconds
            raise ValueError(f"{name}: a schedule has five fields, not {schedule!r}")
        try:
            CronSim(schedule, datetime(2000, 1, 1))  # noqa: DTZ001 - only parsed
        except CronSimError as error:
            raise ValueError(f"{name}: {schedule!r} is no schedule ({error})") from error
        try:
            values = json.loads(body or "{}")
        except ValueError as error:
            raise ValueError(f"{name}: the body is no JSON ({error})") from error
        if not isinstance(values, dict):
            raise ValueError(f"{name}: the body is no JSON object")  # noqa: TRY004 - it was text
        return cls(name, schedule, topic, values)

    def after(self, moment: datetime) -> datetime:
        """Return the first time after ``moment`` at which the job is due."""
        return next(CronSim(self.schedule, moment))

    def message(self, scheduled_at: datetime) -> bytes:
        """Return what is published for one time: the body, and that time, so that late messages can be told."""
        return json.dumps(self.body | {"scheduled_at": scheduled_at.isoformat()}).encode()


@dataclass(frozen=True, slots=True)
class Due:
    """The next moment at which anything is due, and what is due then."""

    at: datetime
    jobs: tuple[CronJob, ...]


def next_due(jobs: Sequence[CronJob], moment: datetime) -> Due:
    """Return what comes first after ``moment``; times that passed unseen (a sleeping machine) are left out."""
    times = [(job.after(moment), job) for job in jobs]
    at = min(time for time, _ in times)
    return Due(at, tuple(job for time, job in times if time == at))
