"""The estimate is reckoned from what finished lately, and says nothing where nothing is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.estimate import Outlook, estimate, suggested_workers, work_seconds
from services.web.shapes import Estimate


def judged(jobs: int, *outlook: Outlook, workers: int | None = None, price: float | None = None) -> Estimate:
    return estimate(jobs, outlook, workers=workers, slots=2, max_workers=10, vm_hourly_usd=price)


def test_nothing_known_means_no_time() -> None:
    """Before anything has finished there is a suggestion, but neither time nor cost."""
    assert judged(100, Outlook("image", 100, None), price=1) == Estimate(
        seconds=None, workers_suggested=10, cost_usd=None
    )


def test_time_is_work_divided_by_those_who_do_it() -> None:
    """A thousand jobs of a minute on five workers with two slots take a hundred minutes and cost five times that."""
    told = judged(1000, Outlook("image", 500, 60), workers=5, price=0.06)
    assert told.seconds == pytest.approx(6000)
    assert told.cost_usd == pytest.approx(0.5)


def test_a_mixed_queue_takes_the_mean_of_its_parts() -> None:
    """Three quick jobs and a slow one in four make the whole queue so; an unknown pipeline is taken for the mean."""
    mix = (Outlook("image", 3, 1), Outlook("video", 1, 101), Outlook("new", 4, None))
    assert work_seconds(100, mix) == pytest.approx(2600)


def test_no_time_is_told_before_every_pipeline_is_known() -> None:
    """Photographs say nothing of a film; the suggestion stays."""
    told = judged(45, Outlook("image", 40, 0.2), Outlook("video", 5, None), price=1)
    assert told == Estimate(seconds=None, workers_suggested=2, cost_usd=None)
    assert judged(45, Outlook("image", 40, 0.2), Outlook("video", 5, 60), price=1).seconds is not None


@pytest.mark.parametrize(
    ("jobs", "work", "suggested"),
    [
        (0, None, 1),
        (1, None, 1),
        (2, None, 1),
        (3, None, 2),
        (200, None, 10),
        (200, 60, 2),
        (200, 2400, 10),
        (9, 720, 3),
    ],
)
def test_suggested_workers(jobs: int, work: float | None, suggested: int) -> None:
    """One for little, two as soon as there is work for two, and more when each has something worth starting for."""
    assert suggested_workers(jobs, work, slots=2, max_workers=10) == suggested


@given(st.integers(0, 10**6), st.none() | st.floats(0, 10**9), st.integers(1, 64), st.integers(1, 1000))
def test_a_suggestion_can_always_be_taken(jobs: int, work: float | None, slots: int, most: int) -> None:
    """It is at least one and never more than is allowed."""
    assert 1 <= suggested_workers(jobs, work, slots=slots, max_workers=most) <= most
