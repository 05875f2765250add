"""Workers whose VM was still booting when somebody pressed Stop."""

from dataclasses import replace

import pytest
from sqlalchemy import Engine, text

from shared import lifecycle, runs, workers
from shared.jobs import NewJob
from shared.models import StopMode, WorkerState

_BOOT = workers.Boot("spotmill-workers-late", "us-central1-a", "0123456789abcdef", "e2-standard-2", 1)


@pytest.mark.parametrize("mode", list(StopMode))
def test_a_worker_that_comes_up_after_stop_leaves_at_once(engine: Engine, mode: StopMode) -> None:
    """It claims nothing, does not idle, and costs nothing until it gets bored: a new VM, or one that boots again."""
    with engine.begin() as connection:
        runs.start(connection, by="ann@example.com", workers=1)
        workers.register(connection, replace(_BOOT, boot_id="an earlier one"))
        runs.stop(connection, by="ann@example.com", mode=mode)
        [job] = lifecycle.record(connection, [NewJob("uploads", "a.jpg", 1, "image", 9, "image/jpeg")])
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE spotmill_worker"))
        workers.register(connection, _BOOT)
        assert not lifecycle.claim(connection, [job.id], worker=_BOOT.id, lease_seconds=40)
        workers.register(connection, _BOOT)
        orders = workers.heartbeat(connection, _BOOT.id, WorkerState.IDLE)
    assert orders is not None
    assert (orders.state, orders.stop_mode) == (WorkerState.LEAVING, mode)


def test_a_worker_that_came_up_beside_stop_is_told_to_leave(engine: Engine) -> None:
    """One that could not see Stop yet hears of it at the next tick."""
    with engine.begin() as connection:
        workers.register(connection, _BOOT)
        runs.start(connection, by="ann@example.com", workers=1)
        connection.execute(text("UPDATE runs SET stopped_at = now(), stopped_by = 'ann', stop_mode = 'now'"))
        runs.stop_latecomers(connection)
        orders = workers.heartbeat(connection, _BOOT.id, WorkerState.IDLE)
    assert orders is not None
    assert (orders.state, orders.stop_mode) == (WorkerState.LEAVING, StopMode.NOW)


def test_a_worker_of_a_run_that_goes_on_stays(engine: Engine) -> None:
    """Pressing Run again after Stop takes the order back for those who come later."""
    with engine.begin() as connection:
        runs.start(connection, by="ann@example.com", workers=1)
        runs.stop(connection, by="ann@example.com", mode=StopMode.DRAIN)
        runs.start(connection, by="ann@example.com", workers=1)
        workers.register(connection, _BOOT)
        runs.stop_latecomers(connection)
        orders = workers.heartbeat(connection, _BOOT.id, WorkerState.IDLE)
    assert orders is not None
    assert orders.state is WorkerState.IDLE
