"""What attempts leave behind is deleted once nobody needs it, and nothing else ever is."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from structlog.testing import CapturingLogger

from services.dispatcher import sweep as sweeping
from services.dispatcher.handlers import tick
from services.dispatcher.sweep import Swept, sweep
from shared import lifecycle
from shared.jobs import Backoff, Failure
from tests.dispatch import Dispatch, Servers

HOUR = 3600
DAY = 24 * HOUR


def swept(dispatch: Dispatch) -> Swept:
    return sweep(dispatch.own, seconds=60)


def lost_then_won(dispatch: Dispatch, *names: str) -> list[uuid.UUID]:
    """Jobs whose first attempt was lost and whose second won; both left files."""
    jobs = dispatch.record(*names)
    dispatch.claim(*jobs)
    dispatch.lose(*jobs)
    dispatch.commit(dispatch.claim(*jobs))
    for job in jobs:
        dispatch.put(f"{job}/1/result", f"{job}/1/half", f"{job}/2/result", f"steps/{job}/abc")
    return jobs


def test_a_lost_attempts_outputs_and_finished_steps_go_and_results_stay(dispatch: Dispatch) -> None:
    """Of a job that was lost once and then succeeded, only the winner's files are left."""
    [job] = lost_then_won(dispatch, "a.jpg")
    dispatch.age(HOUR)
    assert swept(dispatch) == Swept(attempts=2, objects=3)
    assert dispatch.files() == {f"{job}/2/result"}
    assert swept(dispatch) == Swept(0, 0)
    assert dispatch.to_sweep() == 0


def test_the_tick_sweeps_and_says_how_much(dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to do anything for it."""
    log = CapturingLogger()
    monkeypatch.setattr(tick, "log", log)
    lost_then_won(dispatch, "a.jpg")
    dispatch.age(HOUR)
    dispatch.tick()
    assert dispatch.to_sweep() == 0
    [said] = [call.kwargs for call in log.calls if call.args == ("tick.done",)]
    assert said["deleted"] == 3


def test_nothing_goes_while_its_worker_may_still_be_sending(dispatch: Dispatch) -> None:
    """An attempt that has just ended is left alone for as long as the setting says."""
    lost_then_won(dispatch, "a.jpg")
    dispatch.age(dispatch.settings.sweep_after_seconds - 60)
    before = dispatch.files()
    assert swept(dispatch) == Swept(0, 0)
    assert dispatch.files() == before
    dispatch.age(60)
    assert swept(dispatch).objects == 3


def test_a_job_that_leaves_nothing_costs_no_look(dispatch: Dispatch) -> None:
    """A first attempt that succeeds without steps is never listed, nor is a job that ends before it began."""
    quick, stepped, never = dispatch.record("quick.jpg", "stepped.jpg", "never.jpg")
    dispatch.commit(dispatch.claim(quick))
    assert dispatch.to_sweep() == 0
    with dispatch.engine.begin() as connection:
        lifecycle.cancel(connection, [never], reason="Nobody wants it.")
    assert dispatch.to_sweep() == 0
    dispatch.commit(dispatch.claim(stepped), steps_stored=2)
    assert dispatch.to_sweep() == 1


def test_steps_stay_while_the_job_may_run_again(dispatch: Dispatch) -> None:
    """Of a job that waits or runs after a lost attempt, the outputs go and the steps stay."""
    waiting, running = jobs = dispatch.record("a.jpg", "b.jpg")
    dispatch.claim(*jobs)
    dispatch.lose(*jobs)
    dispatch.claim(running)
    for job in jobs:
        dispatch.put(f"{job}/1/result", f"steps/{job}/abc")
    dispatch.put(f"{running}/2/result")
    dispatch.age(100 * DAY)
    assert swept(dispatch).objects == 2
    assert dispatch.files() == {f"steps/{waiting}/abc", f"steps/{running}/abc", f"{running}/2/result"}


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_steps_of_a_job_that_a_person_may_retry_are_kept_for_days(dispatch: Dispatch, status: str) -> None:
    """They go when the retention is over, and not if the job was tried again meanwhile."""
    retried, _ = jobs = dispatch.record("a.jpg", "b.jpg")
    held = dispatch.claim(*jobs)
    with dispatch.engine.begin() as connection:
        if status == "failed":
            failures = [Failure(c.id, c.attempt, "corrupt", permanent=True) for c in held]
            lifecycle.fail(connection, failures, Backoff())
        else:
            lifecycle.cancel(connection, jobs, reason="Enough.")
    for job in jobs:
        dispatch.put(f"{job}/1/result", f"steps/{job}/abc")
    dispatch.age(DAY)
    assert swept(dispatch).objects == 2
    assert dispatch.files() == {f"steps/{job}/abc" for job in jobs}
    with dispatch.engine.begin() as connection:
        lifecycle.retry(connection, [retried])
    dispatch.age(dispatch.settings.steps_retention_days * DAY)
    assert swept(dispatch).objects == 1
    assert dispatch.files() == {f"steps/{retried}/abc"}
    dispatch.commit(dispatch.claim(retried))
    dispatch.age(HOUR)
    swept(dispatch)
    assert dispatch.files() == set()


def test_steps_go_when_the_source_goes_while_the_job_waits(dispatch: Dispatch) -> None:
    """A job that is superseded while it waits has its steps deleted, although its lost attempt was swept before."""
    [job] = dispatch.record("a.jpg")
    dispatch.claim(job)
    dispatch.put(f"{job}/1/result", f"steps/{job}/abc")
    dispatch.lose(job)
    dispatch.age(HOUR)
    assert swept(dispatch).objects == 1
    with dispatch.engine.begin() as connection:
        assert lifecycle.supersede_deleted(connection, dispatch.settings.upload_bucket, "a.jpg", 1) == [job]
    assert swept(dispatch).objects == 0
    dispatch.age(HOUR)
    assert swept(dispatch).objects == 1
    assert dispatch.files() == set()


def test_sweeps_at_once_delete_each_file_once(dispatch: Dispatch) -> None:
    """Four sweeps at the same time leave exactly the winners' files, and add up to the number of orphans."""
    jobs = lost_then_won(dispatch, *(f"{n}.jpg" for n in range(30)))
    dispatch.age(HOUR)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: sweep(dispatch.backends(), seconds=60), range(4)))
    assert sum(one.objects for one in done) == 90
    assert dispatch.files() == {f"{job}/2/result" for job in jobs}
    assert dispatch.to_sweep() == 0


def test_an_attempt_with_more_files_than_one_page_is_emptied(dispatch: Dispatch) -> None:
    """A sweep goes on with the same attempt until nothing is left of it."""
    [job] = lost_then_won(dispatch, "a.jpg")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(dispatch.put, [f"{job}/1/part-{n}" for n in range(sweeping._OBJECTS + 20)]))
    dispatch.age(HOUR)
    assert swept(dispatch).objects == sweeping._OBJECTS + 23
    assert dispatch.files() == {f"{job}/2/result"}


def test_a_file_that_was_written_anew_is_not_deleted_by_its_old_listing(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is deleted is the generation that was listed; the new one is found by the next look."""
    [job] = lost_then_won(dispatch, "a.jpg")
    name, real = f"{job}/1/half", dispatch.own.storage.list_blobs
    rewritten: list[str] = []

    def list_blobs(*arguments: Any, **options: Any) -> Any:
        listed = list(real(*arguments, **options))
        if any(blob.name == name for blob in listed) and not rewritten:
            rewritten.append(name)
            dispatch.put(name)
        return listed

    [first] = dispatch.results.list_blobs(prefix=name)
    monkeypatch.setattr(dispatch.own.storage, "list_blobs", list_blobs)
    dispatch.age(HOUR)
    due = sweeping._due(dispatch.own)
    with ThreadPoolExecutor(2) as pool:
        assert sweeping._Broom(dispatch.own, pool).clear(due) == 1
    [second] = dispatch.results.list_blobs(prefix=name)
    assert second.generation > first.generation
    assert swept(dispatch).objects == 1
    assert dispatch.files() == {f"{job}/2/result"}


def test_a_file_that_may_not_be_deleted_does_not_stand_before_the_others(dispatch: Dispatch) -> None:
    """An object under a hold stays; everything else goes, and it is tried again later."""
    held, other = lost_then_won(dispatch, "a.jpg", "b.jpg")
    blob = dispatch.results.get_blob(f"{held}/1/half")
    blob.temporary_hold = True
    blob.patch()
    dispatch.age(HOUR)
    assert swept(dispatch).objects == 5
    assert dispatch.files() == {f"{held}/2/result", f"{other}/2/result", f"{held}/1/half"}
    blob.temporary_hold = False
    blob.patch()
    dispatch.age(HOUR)
    assert swept(dispatch).objects == 1


def test_a_storage_that_is_away_costs_nothing_but_time(
    dispatch: Dispatch, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tick goes on without it, and the next one deletes."""
    [job] = lost_then_won(dispatch, "a.jpg")
    dispatch.age(HOUR)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setattr(sweeping, "_RETRY", sweeping._RETRY.with_timeout(0.5))
    assert sweep(dispatch.backends(), seconds=60) == Swept(0, 0)
    assert dispatch.to_sweep() == 2
    assert swept(dispatch).objects == 3
    assert dispatch.files() == {f"{job}/2/result"}
