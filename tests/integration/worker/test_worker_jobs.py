"""One job, from message to result: what people find afterwards."""

from pathlib import Path

from shared import lifecycle
from tests.agents import RESULTS, UPLOADS, Lab
from tests.cloud import wait_for


def test_publishes_once(lab: Lab) -> None:
    """A job succeeds, and its artifacts are in the bucket, typed, verified and marked with their source."""
    job = lab.add("trial-copy", b"twelve bytes")
    lab.start()
    row = lab.wait_for_status(job, "succeeded")
    assert row.result == {"size": 12}
    assert (row.progress, row.stage, row.error, row.attempt) == (1, "", None, 1)
    copy, twice = lab.artifacts(job)
    assert (copy.kind, copy.bucket, copy.content_type, copy.size_bytes) == ("copy", RESULTS, "application/x-copy", 12)
    assert copy.metadata == {"note": "the same"}
    assert twice.filename == "twice.bin"
    blob = lab.results.get_blob(copy.object)
    assert blob is not None
    assert blob.download_as_bytes() == b"twelve bytes"
    assert blob.generation == copy.generation
    assert blob.crc32c == copy.crc32c
    assert blob.content_type == "application/x-copy"
    assert "immutable" in blob.cache_control
    assert blob.metadata == {
        "source-bucket": UPLOADS,
        "source-name": row.object,
        "source-generation": str(row.generation),
    }
    assert lab.outcomes(job) == ["succeeded"]
    lab.wait_until_acknowledged()
    rooms = [path for path in lab.folder.glob("spotmill-*/*/**/*") if path.is_file()]
    assert not rooms, "the scratch files are deleted"


def test_odd_names_and_nothing(lab: Lab) -> None:
    """An empty file with a name from anywhere is processed like any other."""
    job = lab.add("trial-copy", b"", name='Grüße/"100 %" ?#1.bin')
    lab.start()
    row = lab.wait_for_status(job, "succeeded")
    copy, twice = lab.artifacts(job)
    assert (copy.size_bytes, twice.size_bytes) == (0, 0)
    assert lab.results.get_blob(copy.object).metadata["source-name"] == row.object


def test_same_message_fifty_times(lab: Lab) -> None:
    """However often a job is announced, two workers run it once."""
    job = lab.add("trial-copy", announce=50, log=lab.folder / "log")
    lab.start(worker_slots=4)
    lab.start(worker_slots=4)
    lab.wait_for_status(job, "succeeded")
    lab.wait_until_acknowledged()
    assert lab.outcomes(job) == ["succeeded"]
    assert len(lab.artifacts(job)) == 2
    assert (lab.folder / "log").read_text() == "copy\n"


def test_malformed_messages(lab: Lab) -> None:
    """Messages that are none are dropped, and the jobs between them are done."""
    for data in (b" ", b"\xff\x00", b"[]", b'{"job_id": 7}', b'{"job_id": "no uuid"}'):
        lab.publish(data)
    job = lab.add("trial-noop")
    machine = lab.start()
    lab.wait_for_status(job, "succeeded")
    lab.wait_until_acknowledged()
    assert len(machine.events("message.malformed")) == 5
    assert machine.process.poll() is None


def test_unknown_job(lab: Lab) -> None:
    """A message about a job that does not exist goes away."""
    machine = lab.start()
    lab.publish(b'{"job_id": "00000000-0000-4000-8000-000000000000"}')
    wait_for(lambda: machine.events("jobs.not_claimed"), what="the message was looked at")
    lab.wait_until_acknowledged()


def test_settings_reach_the_pipeline(lab: Lab) -> None:
    """A job's settings reach its pipeline; settings that do not fit its schema fail the job with a reason."""
    good, bad = lab.add("trial-count", count=3), lab.add("trial-count", count="three")
    lab.start()
    assert lab.wait_for_status(good, "succeeded").result == {"count": 3}
    row = lab.wait_for_status(bad, "failed")
    assert row.error == "The settings do not fit the trial-count pipeline: count: 'three' is not a whole number."
    assert row.failures == 1


def test_progress_is_live(lab: Lab) -> None:
    """Stage and progress can be seen while the job runs, long before the next renewal."""
    gate = lab.folder / "gate"
    job = lab.add("trial-wait", gate=gate)
    machine = lab.start(renew_seconds=60, lease_seconds=120, ack_deadline_seconds=120)
    lab.wait_for_stage(job, "waiting")
    assert lab.job(job).progress == 0.25
    lab.wait_for_state(machine, "busy")
    gate.touch()
    lab.wait_for_status(job, "succeeded")
    lab.wait_for_state(machine, "idle")


def test_long_job_is_held(lab: Lab) -> None:
    """A job that takes longer than lease and ack deadline stays with its worker."""
    gate = lab.folder / "gate"
    job = lab.add("trial-wait", gate=gate, log=lab.folder / "log")
    lab.start()
    lab.start()
    until = lab.wait_for_status(job, "running").lease_until
    wait_for(lambda: (lab.job(job).lease_until - until).total_seconds() > 11, 40, "renewed past the ack deadline")
    gate.touch()
    lab.wait_for_status(job, "succeeded")
    assert lab.outcomes(job) == ["succeeded"]
    assert (lab.folder / "log").read_text() == "wait\n"


def test_source_gone(lab: Lab) -> None:
    """A job whose object was overwritten or deleted is superseded, whatever its pipeline makes of that."""
    overwritten, deleted, ignored = (
        lab.add(pipeline, announce=0) for pipeline in ("trial-copy", "trial-copy", "trial-careless")
    )
    lab.uploads.blob(lab.job(overwritten).object).upload_from_string(b"newer")
    for job in (deleted, ignored):
        lab.uploads.blob(lab.job(job).object).delete()
    lab.announce(overwritten, deleted, ignored)
    lab.start()
    for job in (overwritten, deleted, ignored):
        row = lab.wait_for_status(job, "superseded")
        assert row.error == "The file was overwritten or deleted before it was processed."
    lab.wait_until_acknowledged()


def test_cancelled_while_running(lab: Lab) -> None:
    """Cancelling a running job kills its pipeline at the next renewal, and the slot takes the next job."""
    gate: Path = lab.folder / "gate"
    job = lab.add("trial-wait", gate=gate)
    machine = lab.start()
    lab.wait_for_stage(job, "waiting")
    with lab.engine.begin() as connection:
        lifecycle.cancel(connection, [job], reason="Cancelled by ann@example.com.")
    wait_for(lambda: machine.events("job.fenced"), what="the worker notices")
    other = lab.add("trial-noop")
    lab.wait_for_status(other, "succeeded")
    assert lab.job(job).status == "cancelled"
    assert lab.outcomes(job) == ["cancelled"]
    assert not lab.artifacts(job)


def test_what_was_claimed_ahead_is_given_back(lab: Lab) -> None:
    """Tiny jobs are claimed ahead of a free slot; if a long one then takes it, the others are for whoever has room."""
    vm = lab.start()

    def claims_ahead() -> bool:
        tiny = [lab.add("trial-noop", announce=0) for _ in range(40)]
        lab.announce(*tiny)
        for job in tiny:
            lab.wait_for_status(job, "succeeded")
        return bool(max(event["together"] for event in vm.events("job.claimed")) > 1)

    wait_for(claims_ahead, 60, "tiny jobs are claimed ahead")
    gate = lab.folder / "gate"
    long = [lab.add("trial-copy", announce=0, gate=gate) for _ in range(6)]
    lab.announce(*long)

    def by_status() -> dict[str, int]:
        rows = [lab.job(job).status for job in long]
        return {status: rows.count(status) for status in set(rows)}

    wait_for(lambda: by_status() == {"running": 1, "queued": 5}, 30, "one job runs, and nobody holds the others")
    gate.touch()
    for job in long:
        row = lab.wait_for_status(job, "succeeded", tick=True)
        assert row.failures == 0
        assert set(lab.outcomes(job)) <= {"succeeded", "preempted"}
    assert {lab.outcomes(job)[-1] for job in long} == {"succeeded"}
