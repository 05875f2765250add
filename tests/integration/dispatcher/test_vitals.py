"""The line that each tick logs, of which metrics and alerts are made."""

import pytest
from sqlalchemy import text
from structlog.testing import CapturingLogger

from services.dispatcher.handlers import tick
from services.dispatcher.vitals import Vitals, read_vitals
from tests.dispatch import Dispatch


def vitals(dispatch: Dispatch) -> Vitals:
    with dispatch.engine.connect() as connection:
        return read_vitals(connection)


def test_a_mill_at_rest(dispatch: Dispatch) -> None:
    """Nothing is queued, nothing is old, nothing runs."""
    assert vitals(dispatch) == Vitals(0, 0, 0, 0.0, 0, run_open=False, paused=False)


def test_the_oldest_job_is_the_one_that_has_been_due_for_longest(dispatch: Dispatch) -> None:
    """Its age counts from when it was due; what waits for its time, or runs, is not old."""
    old, waiting, running = dispatch.record("old.jpg", "waiting.jpg", "running.jpg")
    dispatch.claim(running)
    dispatch.change("UPDATE jobs SET not_before = now() - interval '2 hours' WHERE id = :id", id=old)
    dispatch.change("UPDATE jobs SET not_before = now() + interval '1 hour' WHERE id = :id", id=waiting)
    seen = vitals(dispatch)
    assert (seen.queued, seen.waiting, seen.running) == (1, 1, 1)
    assert seen.oldest_seconds == pytest.approx(7200, abs=60)


def test_runs_pauses_and_workers_are_told(dispatch: Dispatch) -> None:
    """An alert needs to know whether anybody should be working."""
    dispatch.change("INSERT INTO runs (started_by, workers) VALUES ('ann@example.com', 1)")
    dispatch.change("INSERT INTO pauses (paused_by) VALUES ('ann@example.com')")
    dispatch.change(
        """INSERT INTO workers (id, instance, zone, boot_id, machine_type, slots, state)
           VALUES ('vm-1/a', 'vm-1', 'z', 'a', 'e2', 2, 'idle'), ('vm-2/b', 'vm-2', 'z', 'b', 'e2', 2, 'gone')"""
    )
    seen = vitals(dispatch)
    assert (seen.run_open, seen.paused, seen.workers) == (True, True, 1)


def test_each_tick_logs_them(dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a minute there is one line with the queue, the fleet and the tick's own work."""
    log = CapturingLogger()
    monkeypatch.setattr(tick, "log", log)
    dispatch.record("a.jpg", "b.jpg")
    dispatch.tick()
    [said] = [call.kwargs for call in log.calls if call.args == ("tick.done",)]
    assert said["queued"] == said["published"] == 2
    assert said["target"] == 0
    assert said["seconds"] > 0


def test_a_run_says_what_it_came_to(dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a run is closed, jobs, VM-seconds and cost are in the log."""
    log = CapturingLogger()
    monkeypatch.setattr("shared.compute.log", log)
    dispatch.change("INSERT INTO runs (started_by, workers) VALUES ('ann@example.com', 1)")
    dispatch.tick()
    [said] = [call.kwargs for call in log.calls if call.args == ("run.closed",)]
    assert (said["reason"], said["jobs_done"], said["vm_seconds"]) == ("finished", 0, 0)
    with dispatch.engine.connect() as connection:
        assert str(connection.scalar(text("SELECT id FROM runs"))) == said["run"]
