"""A page begins where the one before ended, and nowhere else."""

import base64
import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.web.cursor import Cursor
from services.web.problems import Problem


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_cursor_comes_back_as_it_was(moment: datetime, job: uuid.UUID) -> None:
    """Every key of a listing survives the way through an address, to the microsecond."""
    assert Cursor.decode(Cursor(moment, job).encode()) == Cursor(moment, job)


def test_other_time_zones_mean_the_same_moment() -> None:
    """The database may say its times in any zone."""
    moment = datetime(2025, 12, 3, 15, 0, tzinfo=timezone(timedelta(hours=2)))
    assert Cursor.decode(Cursor(moment, uuid.UUID(int=1)).encode()).created_at == moment


@given(st.text(max_size=60))
def test_nothing_else_is_a_cursor(word: str) -> None:
    """A made-up cursor is refused in words and never an error of ours."""
    with pytest.raises(Problem) as raised:
        Cursor.decode(word)
    assert raised.value.status == 400


@pytest.mark.parametrize(
    "inner",
    [
        "[]",
        "{}",
        "null",
        '"x"',
        "[1, 2]",
        '["2025-01-01T00:00:00+00:00"]',
        '["2025-01-01T00:00:00+00:00", 7]',
        '["2025-01-01T00:00:00+00:00", "x"]',
        '["9999-12-31T23:59:59-23:00", "00000000-0000-0000-0000-000000000000"]',
        "[" * 10000,
    ],
)
def test_a_well_wrapped_lie_is_refused(inner: str) -> None:
    """Base64 of the wrong thing is refused, too."""
    with pytest.raises(Problem) as raised:
        Cursor.decode(base64.urlsafe_b64encode(inner.encode()).decode().rstrip("="))
    assert raised.value.status == 400
