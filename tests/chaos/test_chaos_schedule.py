"""The harness's own decisions: reproducible by seed, complete, and fair to what the chaos did not cause."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.chaos.__main__ import main
from tests.chaos.audit import allowed_statuses, explained
from tests.chaos.book import File, Version
from tests.chaos.figures import begun
from tests.chaos.kinds import PIPELINES, Expected, content, expected
from tests.chaos.network import NETWORK_FAULTS
from tests.chaos.schedule import ARRIVALS, FLEET_FAULTS, SERVER_FAULTS, WORKER_FAULTS, Arrival, plan

KINDS = WORKER_FAULTS | SERVER_FAULTS | FLEET_FAULTS | NETWORK_FAULTS


def test_the_same_seed_gives_the_same_schedule() -> None:
    """Everything that is done and broken follows from the seed and the length alone."""
    assert plan(7, 180, KINDS) == plan(7, 180, KINDS)
    assert plan(7, 180, KINDS).faults != plan(8, 180, KINDS).faults


def test_work_after_the_end_of_an_attempt_is_nobodys() -> None:
    """What a thawed agent does before it hears that it lost the job is not redone work of the mill's."""
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)

    def line(attempt: int, second: int, words: str = "chaos-step part-0") -> str:
        at = (noon + timedelta(seconds=second)).isoformat().replace("+00:00", "Z")
        return json.dumps({"job": "a", "attempt": attempt, "line": words, "timestamp": at})

    lines = [line(1, 1), line(1, 9), line(2, 5), line(2, 6, "another word"), "chaos-step part-0"]
    assert begun(lines, {("a", 1): noon + timedelta(seconds=4), ("a", 2): None}) == {"a": {"part-0": 2}}


def test_kinds_do_not_disturb_each_other() -> None:
    """A kind of fault that is impossible somewhere leaves all the others where they were."""
    fewer = {kind: rate for kind, rate in KINDS.items() if kind != "disk full"}
    left = {fault for fault in plan(7, 180, KINDS).faults if fault.kind != "disk full"}
    assert left == set(plan(7, 180, fewer).faults)


@pytest.mark.parametrize("seconds", [30, 180, 3600])
def test_every_kind_happens(seconds: float) -> None:
    """No run is so short that it leaves out a fault or a kind of file, and none goes beyond its end."""
    schedule = plan(3, seconds, KINDS)
    assert {fault.kind for fault in schedule.faults} == set(KINDS)
    assert {arrival.kind for arrival in schedule.arrivals} == set(ARRIVALS)
    assert all(0 < fault.at < seconds for fault in schedule.faults)
    assert sorted(schedule.notices) == [0, 30, 120]


def test_an_hour_is_enough_for_the_proof() -> None:
    """The rates add up to what the issue asks for: 10,000 jobs, 1,000 dead workers, 100 restarts of each server."""
    schedule = plan(1, 3600, KINDS)
    deadly = ("agent kill -9", "preemption", "power cut", "host crash", "VM deleted")
    assert len(schedule.arrivals) > 10_000
    assert sum(fault.kind in deadly for fault in schedule.faults) > 1_000
    for server in ("gcs", "pubsub", "eventarc", "scheduler", "compute", "postgres", "dispatcher", "web"):
        assert sum(fault.kind in (f"{server} kill -9", "everything kill -9") for fault in schedule.faults) > 100


@pytest.mark.parametrize("kind", sorted(ARRIVALS))
def test_every_kind_of_file_has_one_expectation(kind: str) -> None:
    """The undisturbed run says the same twice, and another version of a file has other bytes."""
    arrival = next(arrival for arrival in plan(5, 30, {}).arrivals if arrival.kind == kind)
    assert expected(arrival, 0) == expected(arrival, 0)
    assert expected(arrival, 0).pipeline in {*PIPELINES, "none"}
    assert content(arrival, 0).data != content(arrival, 1).data


def test_people_decide_what_may_become_of_a_job() -> None:
    """A cancelled job must be cancelled; a replaced file may be superseded; anything else is as expected."""
    wanted = Expected("chaos-tiny", "succeeded")
    old, new = Version(0, 11, gone=True), Version(1, 12)
    file = File(Arrival(0.0, 1, "tiny", "write", 0), versions=[old, new])
    assert allowed_statuses(file, new, wanted) == {"succeeded"}
    assert allowed_statuses(file, old, wanted) == {"succeeded", "superseded"}
    file.cancelled = True
    assert allowed_statuses(file, new, wanted) == {"cancelled"}


def test_a_bug_is_not_explained_by_chaos() -> None:
    """A failed attempt must name the file's own fault or something that was broken."""
    wanted = Expected("image", "failed", "This file is not a song.", failures=1)
    assert explained("This file is not a song.", wanted)
    assert explained("Cloud Storage could not be used: 503", wanted)
    assert not explained("The worker failed: KeyError.", wanted)
    assert not explained(None, wanted)


def test_totals_add_up(tmp_path: Path) -> None:
    """Records of several runs become one sum."""
    entry = {"seed": 1, "jobs": 10, "worker_deaths": 2, "lost": 0, "restarts": {"gcs": 3}, "faults": {"power cut": 1}}
    file = tmp_path / "runs.jsonl"
    file.write_text("\n".join(json.dumps(entry | {"seed": seed}) for seed in (1, 2)))
    said = CliRunner().invoke(main, ["totals", str(file)])
    assert said.exit_code == 0, said.output
    assert "2 runs, seeds 1, 2" in said.output
    assert "gcs 6" in said.output
    assert any(line.split() == ["jobs", "20"] for line in said.output.splitlines())
