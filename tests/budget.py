"""Notifications of Cloud Billing on a local cloud under test."""

import base64
import json
from datetime import UTC, datetime, timedelta

import requests

from eventarc.contract import read_sample
from tests.cloud import Cloud

#: Before every notification of a test: the first day of a period.
PERIOD = datetime(2025, 12, 1, tzinfo=UTC)


def notify(cloud: Cloud, cost: float, *, amount: float = 100.0, minutes: float = 0, period: datetime = PERIOD) -> int:
    """Deliver what Cloud Billing said ``minutes`` after noon; return the dispatcher's answer."""
    sample = read_sample("pubsub-budget")
    said = {
        "budgetDisplayName": "spotmill-workers",
        "costAmount": cost,
        "costIntervalStart": period.isoformat(),
        "budgetAmount": amount,
        "budgetAmountType": "SPECIFIED_AMOUNT",
        "currencyCode": "USD",
    }
    time = (datetime(2025, 12, 3, 12, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
    message = {"data": base64.b64encode(json.dumps(said).encode()).decode(), "messageId": time, "publishTime": time}
    headers = sample.headers | {
        "ce-time": time,
        "ce-source": f"//pubsub.googleapis.com/{cloud.topic('spotmill-budget')}",
    }
    url = cloud.environment["SPOTMILL_DISPATCHER_URL"]
    body = json.dumps(sample.body | {"message": message})
    return requests.post(url, data=body, headers=headers, timeout=30).status_code
