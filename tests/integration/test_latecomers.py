"""Workers whose VM was still booting when somebody pressed Stop."""

from sqlalchemy import Engine

from shared import runs, workers
from shared.models import StopMode, WorkerState

_BOOT = workers.Boot("spotmill-workers-late", "us-central1-a", "0123456789abcdef", "e2-standard-2", 1)


def test_a_worker_that_comes_up_after_stop_is_told_to_leave(engine: Engine) -> None:
    """It leaves at the next tick instead of idling, and costing money, until it gets bored."""
    with engine.begin() as connection:
        runs.start(connection, by="ann@example.com", workers=1)
        runs.stop(connection, by="ann@example.com", mode=StopMode.NOW)
        workers.register(connection, _BOOT)
        runs.stop_latecomers(connection)
        orders = workers.heartbeat(connection, _BOOT.id, WorkerState.IDLE)
    assert orders is not None
    assert orders.state is WorkerState.LEAVING
    assert orders.stop_mode is StopMode.NOW


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
