"""Pipelines that fail, each in its own way: what the job says, whether it is tried again; the worker lives on."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

from tests.agents import Lab
from tests.cloud import wait_for


def _runs(pid: int) -> bool:
    """Tell whether a process is alive; one that ended may be waiting for whoever adopted it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_permanent_failure(lab: Lab) -> None:
    """A file that can never be processed fails at once, in the pipeline's own words; so does one without a pipeline."""
    song, unknown = lab.add("trial-permanent"), lab.add("karaoke")
    lab.start()
    row = lab.wait_for_status(song, "failed")
    assert (row.error, row.failures, row.attempt) == ("This file is not a song.", 1, 1)
    row = lab.wait_for_status(unknown, "failed")
    assert (row.error, row.failures) == ("There is no pipeline named 'karaoke' on this worker.", 1)
    lab.wait_until_acknowledged()


def test_retryable_failure(lab: Lab) -> None:
    """What goes wrong outside the file is tried again after a pause, and succeeds."""
    job = lab.add("trial-flaky", log=lab.folder / "log", tries=3)
    lab.start()
    row = lab.wait_for_status(job, "succeeded", tick=True)
    assert (row.failures, row.attempt, row.error) == (2, 3, None)
    assert lab.outcomes(job) == ["failed", "failed", "succeeded"]
    assert lab.attempts(job)[0].error == "The model server is busy."


def test_tried_too_often(lab: Lab) -> None:
    """After its last permitted failure a job fails for good."""
    job = lab.add("trial-flaky", log=lab.folder / "log", tries=9)
    lab.start(max_failures=2)
    row = lab.wait_for_status(job, "failed", tick=True)
    assert (row.failures, row.error) == (2, "The model server is busy.")


def test_crash(lab: Lab) -> None:
    """A native crash ends the child and what it started, not the agent, and is a retryable failure that says so."""
    job = lab.add("trial-crash", once=lab.folder / "once", log=lab.folder / "programs")
    machine = lab.start()
    lab.wait_for_status(job, "succeeded", tick=True)
    (left,) = (int(line) for line in (lab.folder / "programs").read_text().split())
    wait_for(lambda: not _runs(left), 30, "the program that the child left behind is ended")
    crashed, _ = lab.attempts(job)
    assert crashed.error == "The trial-crash pipeline crashed (signal 11, SIGSEGV)."
    assert len(machine.events("worker.started")) == 1


def test_killed_for_memory(lab: Lab) -> None:
    """A child that the kernel kills is reported as such; one that hits its own limit says so itself."""
    gate = lab.folder / "gate"
    killed, greedy = lab.add("trial-wait", gate=gate), lab.add("trial-greedy", announce=0)
    machine = lab.start(max_failures=1, child_memory_bytes=1024**3)
    lab.wait_for_stage(killed, "waiting")
    child = machine.events("child.ready")[0]["child"]
    assert Path(f"/proc/{child}/oom_score_adj").read_text().strip() == "1000"

    os.kill(child, signal.SIGKILL)
    row = lab.wait_for_status(killed, "failed")
    assert row.error == "The trial-wait pipeline was killed (signal 9, SIGKILL), probably because memory ran out."
    lab.announce(greedy)
    assert lab.wait_for_status(greedy, "failed").error == "The pipeline ran out of memory."


def test_endless(lab: Lab) -> None:
    """A job that runs too long or stands still is ended, and says why; its slot takes the next one."""
    loop, stall, last = lab.add("trial-loop"), lab.add("trial-stall"), lab.add("trial-noop")
    machine = lab.start(max_failures=1)
    assert lab.wait_for_status(loop, "failed").error == "The job took longer than the 1 seconds it may run."
    assert lab.wait_for_status(stall, "failed").error == "The job made no progress for 1 seconds."
    lab.wait_for_status(last, "succeeded")
    assert machine.process.poll() is None


@pytest.mark.parametrize("disguise", ["link", "../../../../wanted", "/etc/passwd", ".", "folder/link"])
def test_hostile_paths(lab: Lab, disguise: str) -> None:
    """A child cannot have the agent publish a file from outside its work directory."""
    wanted = lab.folder / "wanted"
    wanted.write_text("secret")
    job = lab.add("trial-hostile", wanted=wanted, disguise=disguise)
    lab.start(max_failures=1)
    row = lab.wait_for_status(job, "failed")
    assert row.error.startswith("The trial-hostile pipeline broke the rules:")
    assert not lab.artifacts(job)


def test_unstorable_result(lab: Lab) -> None:
    """A result that Postgres refuses fails its own job and none of those that end with it."""
    bad = lab.add("trial-unstorable")
    good = [lab.add("trial-noop") for _ in range(8)]
    lab.start(worker_slots=4)
    assert lab.wait_for_status(bad, "failed").error == "The pipeline's result cannot be stored in the database."
    for job in good:
        lab.wait_for_status(job, "succeeded")


def test_child_sees_no_credentials(lab: Lab) -> None:
    """A pipeline sees neither settings nor credentials nor, where the agent may cut it, the network."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        job = lab.add("trial-look", host=host, port=port)
        machine = lab.start()
        result = lab.wait_for_status(job, "succeeded").result
    seen = set(result["environment"])
    assert not {name for name in seen if name.startswith(("SPOTMILL_", "GOOGLE_", "DATABASE", "PUBSUB", "STORAGE"))}
    assert result["reached"] is not machine.events("child.ready")[0]["offline"]
    assert result["scratch"] == []
    wait_for(lambda: len(machine.events("child.output")) == 2, what="what it printed is in the log")
    assert {event["job"] for event in machine.events("child.output")} == {str(job)}
