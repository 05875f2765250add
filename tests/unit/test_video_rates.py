"""Which rate a film gets, and that no frame of a constant rate is lost or doubled on the way to it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from worker.pipelines.video.rates import USUAL, choose, ticks

MILLISECONDS = Fraction(1, 1000)
NTSC = Fraction(30000, 1001)


def shown_at(rate: Fraction, count: int, base: Fraction, start: int = 0) -> NDArray[np.int64]:
    """Times of the frames of a constant rate, as a container with that time base rounds them."""
    return np.array([start + round(n / rate / base) for n in range(count)], np.int64)


@given(st.sampled_from(USUAL), st.integers(2, 3000), st.sampled_from([1000, 90000, 48000]), st.integers(0, 10**9))
def test_every_frame_of_a_usual_rate_has_a_tick_of_its_own(rate: Fraction, count: int, clock: int, start: int) -> None:
    base = Fraction(1, clock)
    times = shown_at(rate, count, base, start)
    found = choose(times, base, [rate], 120)
    assert found.constant
    assert ticks(times, base, found.rate).tolist() == list(range(count))


def test_a_header_that_lies_is_not_believed() -> None:
    times = shown_at(Fraction(25), 500, MILLISECONDS)
    assert choose(times, MILLISECONDS, [Fraction(1000), Fraction(60)], 60).rate == 25


def test_an_unusual_rate_is_kept() -> None:
    times = shown_at(Fraction(29, 2), 400, Fraction(1, 90000))
    found = choose(times, Fraction(1, 90000), [None], 60)
    assert found.constant
    assert ticks(times, Fraction(1, 90000), found.rate).tolist() == list(range(400))


def test_a_camera_that_dropped_frames_leaves_holes_and_loses_none() -> None:
    times = np.delete(shown_at(NTSC, 900, MILLISECONDS), [100, 101, 102, 500])
    found = choose(times, MILLISECONDS, [NTSC], 60)
    assert found.rate == NTSC
    assert len(set(ticks(times, MILLISECONDS, found.rate).tolist())) == 896


def test_a_phone_that_hesitates_keeps_its_nominal_rate() -> None:
    random = np.random.default_rng(1)
    times = np.cumsum(random.choice([29, 33, 34, 40, 66], 900, p=[0.02, 0.4, 0.4, 0.1, 0.08])).astype(np.int64)
    found = choose(times, MILLISECONDS, [Fraction(90000)], 60)
    assert not found.constant
    assert found.rate in (30, NTSC)


def test_a_screen_recorder_that_idles_keeps_its_hurry() -> None:
    times = np.cumsum([16, 17, 17, 2000, 16, 17, 5000, 17, 16, 17] * 30).astype(np.int64)
    assert choose(times, MILLISECONDS, [None], 60).rate in (60, Fraction(60000, 1001))


@pytest.mark.parametrize(("rate", "most", "wanted"), [(240, 60, 60), (120, 60, 60), (100, 60, 50), (60, 25, 20)])
def test_a_faster_film_keeps_every_second_or_third_frame(rate: int, most: int, wanted: int) -> None:
    times = shown_at(Fraction(rate), 500, Fraction(1, 90000))
    assert choose(times, Fraction(1, 90000), [Fraction(rate)], most).rate == wanted


def test_one_frame_is_a_film() -> None:
    assert choose(np.array([7], np.int64), MILLISECONDS, [None], 60).rate == 25


def test_times_far_from_zero_do_not_overflow() -> None:
    times = np.array([0, 10**15, 2 * 10**15], np.int64)
    assert ticks(times, Fraction(1, 10**9), Fraction(60000, 1001)).tolist() == [0, 59940060, 119880120]
