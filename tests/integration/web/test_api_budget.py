"""A spent budget: the run stops, every page says so, Run is refused, an admin may override, a new period clears it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.budget import PERIOD, notify
from tests.web import ADMIN, API, PUBLIC_URL, Web

FORM = {"Origin": PUBLIC_URL}


@pytest.fixture(autouse=True)
def _unspent(web: Web) -> Iterator[None]:
    """No budget is known and no run is open when the test is over."""
    yield
    web.settle("budgets")


def test_a_spent_budget_stops_the_run_and_is_told(web: Web) -> None:
    """Below the limit nothing happens; from the limit on the run stops, and /queue and each page say since when."""
    ada = web.person()
    [job] = web.record(ada.email, "a.jpg")
    assert ada.post(f"{API}/runs", json={"workers": 1}).status_code == 202
    assert notify(web.cloud, 99.99) == 200
    assert ada.api("/queue")["budget"] is None
    assert ada.api("/runs/current")["state"] == "running"
    assert notify(web.cloud, 100.0, minutes=30) == 200
    told = ada.api("/queue")
    assert told["budget"] == {
        "name": "spotmill-workers",
        "cost": 100.0,
        "amount": 100.0,
        "currency": "USD",
        "interval_start": "2025-12-01T00:00:00Z",
        "spent_at": "2025-12-03T12:30:00Z",
    }
    assert (told["run"]["state"], told["run"]["stopped_by"]) == ("stopping", "the budget")
    assert notify(web.cloud, 120.5, minutes=60) == 200
    assert (ada.api("/queue")["budget"]["cost"], ada.api("/queue")["budget"]["spent_at"][:16]) == (
        120.5,
        "2025-12-03T12:30",
    )
    for path in ("/", "/upload", f"/jobs/{job}"):
        assert "budget is spent since" in ada.get(path).text
        assert "120.50 of 100.00 USD" in ada.get(path).text


@pytest.mark.parametrize(("cost", "amount", "days"), [(0.1, 100.0, 31), (120.0, 200.0, 0)])
def test_a_new_period_or_a_larger_budget_clears_it(web: Web, cost: float, amount: float, days: int) -> None:
    """The first notification with money left says so; a late one from before does not take that back."""
    ada = web.person()
    notify(web.cloud, 120.0, minutes=0)
    notify(web.cloud, cost, amount=amount, minutes=60, period=PERIOD + timedelta(days=days))
    assert ada.api("/queue")["budget"] is None
    assert notify(web.cloud, 120.0, minutes=30) == 200
    assert ada.api("/queue")["budget"] is None
    assert "budget is spent" not in ada.get("/upload").text
    notify(web.cloud, amount, amount=amount, minutes=90, period=PERIOD + timedelta(days=days))
    assert ada.api("/queue")["budget"]["spent_at"].startswith("2025-12-03T13:30")


def test_run_is_refused_while_it_is_spent(web: Web) -> None:
    """In words, also to an admin who does not say that it shall be overridden; people cannot override it."""
    ada, admin = web.person(), web.person(ADMIN)
    web.record(ada.email, "a.jpg")
    notify(web.cloud, 100.01)
    for person in (ada, admin):
        refused = person.post(f"{API}/runs", json={"workers": 1})
        assert refused.status_code == 409
        assert refused.get_json()["detail"].startswith(
            "100.01 of the workers' 100.00 USD are spent since 1 December 2025."
        )
    assert ada.post(f"{API}/runs", json={"override_budget": True}).status_code == 403
    assert ada.post("/run", data={"workers": "1"}, headers=FORM).status_code == 409
    assert ada.post("/run", data={"workers": "1", "override_budget": "on"}, headers=FORM).status_code == 403
    assert ada.api("/queue")["run"] is None


def test_an_admin_overrides_it_for_one_run(web: Web) -> None:
    """That run goes on through further notifications; the next one is refused again. Without need, none is beyond."""
    ada, admin = web.person(), web.person(ADMIN)
    web.record(ada.email, *(f"{n}.jpg" for n in range(4)))
    notify(web.cloud, 100.01)
    started = admin.post(f"{API}/runs", json={"workers": 1, "override_budget": True})
    assert (started.status_code, started.get_json()["beyond_budget"]) == (202, True)
    notify(web.cloud, 105.0, minutes=20)
    assert ada.api("/runs/current")["state"] == "running"
    assert ada.post(f"{API}/runs", json={"workers": 2}).status_code == 409
    assert admin.post(f"{API}/runs/current/stop", json={"mode": "now"}).status_code == 200
    assert admin.post(f"{API}/runs", json={"workers": 1}).status_code == 409
    with web.cloud.engine.begin() as connection:
        connection.execute(text("DELETE FROM budgets"))
    again = admin.post(f"{API}/runs", json={"workers": 1, "override_budget": True})
    assert (again.status_code, again.get_json()["beyond_budget"]) == (202, False)
    notify(web.cloud, 100.0, minutes=40)
    assert ada.api("/queue")["run"]["stopped_by"] == "the budget"
