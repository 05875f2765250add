"""Callers that come together are served together, each with its own outcome."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from services.dispatcher.group_commit import GroupCommit
from tests.cloud import wait_for

CALLERS = 20


class Work:
    """Doubles numbers once its gate is open, refuses negative ones, fails at zero, and remembers its groups."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.groups: list[list[int]] = []

    def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(items))
        assert self.gate.wait(20)
        if 0 in items:
            raise ConnectionError("the database is away")
        return [ValueError(f"no {item}") if item < 0 else 2 * item for item in items]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLERS) as threads:
        yield threads


def submitted(pool: ThreadPoolExecutor, work: Work, items: Sequence[int], most: int = 100) -> list[Future[int]]:
    """Submit the first item, the others while it is being worked on, and let all of them go on."""
    commits = GroupCommit[int, int](work, most=most)
    futures = [pool.submit(commits.submit, items[0])]
    wait_for(lambda: work.groups)
    futures += [pool.submit(commits.submit, item) for item in items[1:]]
    wait_for(lambda: len(commits._waiting) == len(items) - 1)
    work.gate.set()
    return futures


def test_what_comes_meanwhile_is_done_in_one_go(pool: ThreadPoolExecutor) -> None:
    """While the first is under way nineteen others come: two groups, and each gets its own result."""
    work, items = Work(), list(range(1, CALLERS + 1))
    futures = submitted(pool, work, items)
    assert [future.result(20) for future in futures] == [2 * item for item in items]
    assert [len(group) for group in work.groups] == [1, CALLERS - 1]


def test_a_group_has_its_most(pool: ThreadPoolExecutor) -> None:
    """What does not fit goes with the next group, and nobody is forgotten."""
    work, items = Work(), list(range(1, CALLERS + 1))
    futures = submitted(pool, work, items, most=8)
    assert [future.result(20) for future in futures] == [2 * item for item in items]
    assert [len(group) for group in work.groups] == [1, 8, 8, 3]


def test_a_bad_item_is_its_own_callers_error(pool: ThreadPoolExecutor) -> None:
    """The others of its group get their results."""
    work = Work()
    first, bad, good = submitted(pool, work, [1, -1, 3])
    assert isinstance(bad.exception(20), ValueError)
    assert (first.result(20), good.result(20)) == (2, 6)


def test_a_group_that_fails_fails_for_each_of_its_callers(pool: ThreadPoolExecutor) -> None:
    """And the next group goes on as if nothing had been."""
    work = Work()
    first, second, third = submitted(pool, work, [5, 0, 7])
    assert first.result(20) == 10
    assert isinstance(second.exception(20), ConnectionError)
    assert isinstance(third.exception(20), ConnectionError)
    commits = GroupCommit[int, int](work, most=1)
    with pytest.raises(ConnectionError):
        commits.submit(0)
    assert commits.submit(4) == 8


def test_many_threads_lose_nothing(pool: ThreadPoolExecutor) -> None:
    """Thousands of calls from twenty threads each get their own result."""
    work = Work()
    work.gate.set()
    commits = GroupCommit[int, int](work, most=7)
    items = list(range(1, 3001))
    assert list(pool.map(commits.submit, items)) == [2 * item for item in items]
    assert sorted(item for group in work.groups for item in group) == items
