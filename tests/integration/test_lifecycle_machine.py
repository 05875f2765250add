"""Random histories of a few jobs on a real Postgres: whatever is called in whatever order, the promises hold.

The machine knows of each function whom it may touch, worked out from the rows before the call, and compares all rows
before and after. Workers keep every hold they ever had and go on using it, as frozen ones do when they thaw. Messages
are in a bag, where they are doubled, lost, and as late as can be.
"""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, text

from shared import lifecycle, pauses, workers
from shared.jobs import Claim, Completion, Failure, Hold, NewArtifact, NewJob, Renewal
from shared.models import Outcome
from shared.routing import UNROUTED
from tests.integration.lifecycle_ledger import BACKOFF, LEASE_SECONDS, REPUBLISH_SECONDS, Ledger, seconds
from tests.integration.lifecycle_world import State, World

T = TypeVar("T")
#: Histories in a run, and steps in each; the same ones every time.
EXAMPLES = int(os.environ.get("SPOTMILL_TEST_HISTORIES", "120"))
STEPS = 40

#: Which of what there is, counted from the newest.
picks = st.lists(st.integers(0, 5), min_size=1, max_size=4)
chances = st.sampled_from([0.0, 0.25, 0.999])
machines = st.sampled_from(["vm-1", "vm-2", "vm-3"])
objects = st.builds(
    NewJob,
    bucket=st.just("uploads"),
    object=st.sampled_from(["a.jpg", "b.jpg", "c.jpg"]),
    generation=st.sampled_from([1, 1, 1, 2]),
    pipeline=st.sampled_from(["image", "image", "image", UNROUTED]),
    size_bytes=st.just(1000),
    content_type=st.just("image/jpeg"),
    owner=st.sampled_from([None, "ann@example.com"]),
    error=st.sampled_from([None, None, None, None, "Nothing can process it."]),
)


def chosen(among: Sequence[T], which: Iterable[int]) -> list[T]:
    """Pick by number, the newest first."""
    return [among[-1 - number % len(among)] for number in which] if among else []


class Life(Ledger):
    """Everything that may happen to jobs."""

    @initialize(paused=st.sampled_from([False, False, True]))
    def dawn(self, paused: bool) -> None:
        self.world.begin_anew()
        self.world.advance(0)
        for name in self.boots:
            self.world.do(partial(workers.register, boot=self.boot(name)))
        # One job waits, one is held, and one by two workers, of whom the first has not noticed.
        new = [NewJob("uploads", name, 1, "image", 1000, "image/jpeg") for name in ("a.jpg", "b.jpg", "c.jpg")]
        self.record(new)
        self.send([0, 1, 2])
        self.note([1, 2] if paused else [0, 1, 2], dies=False)
        self.claim("vm-1", self.jobs[:1])
        self.world.advance(LEASE_SECONDS + 1)
        self.claim("vm-2", self.jobs[:2])
        if paused:
            self.pause(on=True)

    # -- Objects arrive, are overwritten, are deleted ------------------------------------------------------------------

    @rule(new=st.lists(objects, min_size=1, max_size=4))
    def record(self, new: list[NewJob]) -> None:
        known = set(self.states)
        recorded, changed = self.act(partial(lifecycle.record, jobs=new))
        for asked, job in zip(new, recorded, strict=True):
            row = self.states[job.id].job
            identity = (asked.bucket, asked.object, asked.generation, asked.pipeline)
            assert identity == (row["bucket"], row["object"], row["generation"], row["pipeline"])
            assert job.new == (job.id not in known)
            assert job.status == row["status"]
        self.jobs += dict.fromkeys(job.id for job in recorded if job.id not in self.jobs)
        self.listed += {job.id: job.pending for job in recorded if job.pending is not None}.values()
        names = {asked.object for asked in new}
        newest = {
            name: max(s.job["generation"] for s in self.states.values() if s.job["object"] == name) for name in names
        }
        for state in self.states.values():
            outdated = state.job["object"] in names and state.job["generation"] < newest[state.job["object"]]
            assert not (outdated and state.status == "queued"), "a newer generation supersedes what waits"
        for old, was in changed.items():
            assert (was.status, self.states[old].status) == ("queued", "superseded")
        for state in self.states.values():
            if state.status == "superseded" and state.attempt == 0 and state.at("finished_at") == self.world.now:
                assert state.job["generation"] < newest[state.job["object"]], "only a newer generation supersedes"

    @rule(name=st.sampled_from(["a.jpg", "b.jpg", "c.jpg"]), generation=st.integers(1, 2))
    def delete_object(self, name: str, generation: int) -> None:
        ended, changed = self.act(lambda c: lifecycle.supersede_deleted(c, "uploads", name, generation))
        assert set(ended) == set(changed)
        for was in changed.values():
            assert (was.status, was.job["object"], was.job["generation"]) == ("queued", name, generation)

    # -- Publishing ----------------------------------------------------------------------------------------------------

    @rule(most=st.sampled_from([1, 2, 1000]))
    def tick_lists(self, most: int) -> None:
        call = partial(lifecycle.unpublished, republish_after_seconds=REPUBLISH_SECONDS, most=most)
        found, changed = self.act(call)
        assert not changed
        wanted = set() if self.paused else {job for job, state in self.states.items() if self.unannounced(state)}
        assert {pending.id for pending in found} <= wanted
        assert len(found) == min(most, len(wanted))
        assert all(pending.queued_at == self.states[pending.id].at("queued_at") for pending in found)
        self.listed += sorted(found, key=lambda pending: self.jobs.index(pending.id))

    @precondition(lambda self: self.listed)
    @rule(which=picks)
    def send(self, which: list[int]) -> None:
        for pending in dict.fromkeys(chosen(self.listed, which)):
            self.listed.remove(pending)
            self.sent.append(pending)
            self.bag.append(pending.id)

    @precondition(lambda self: self.sent)
    @rule(which=picks, dies=st.booleans())
    def note(self, which: list[int], dies: bool) -> None:
        noted = list(dict.fromkeys(chosen(self.sent, which)))
        self.sent = [pending for pending in self.sent if pending not in noted]
        if dies:
            return
        wanted = {
            p.id
            for p in noted
            if self.states[p.id].status == "queued" and self.states[p.id].at("queued_at") == p.queued_at
        }
        _, changed = self.act(partial(lifecycle.mark_published, published=noted))
        assert set(changed) == wanted, "a note belongs to one stay in the queue"
        assert all(self.states[job].at("published_at") == self.world.now for job in wanted)

    @precondition(lambda self: self.bag)
    @rule(which=st.integers(0, 5), lost=st.booleans())
    def lose_or_double(self, which: int, lost: bool) -> None:
        [message] = chosen(self.bag, [which])
        if lost:
            self.bag.remove(message)
            self.silent.add((message, self.states[message].job["queued_at"]))
        else:
            self.bag.append(message)

    # -- Workers -------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.jobs)
    @rule(
        name=machines,
        which=st.lists(st.integers(0, 5), max_size=4),
        late=st.lists(st.integers(0, 5), min_size=1, max_size=2),
    )
    def pull(self, name: str, which: list[int], late: list[int]) -> None:
        """Take messages from the bag, and perhaps some that were answered long ago."""
        messages = chosen(self.bag, which)
        for message in set(messages):
            self.bag.remove(message)
        self.claim(name, [*messages, *chosen(self.jobs, late), uuid.uuid5(uuid.NAMESPACE_URL, "nobody's")])

    def claim(self, name: str, ids: list[uuid.UUID]) -> list[Claim]:
        asked = set(ids) & set(self.states)
        now = self.world.now + seconds(0.001)
        free = {job for job in asked if self.states[job].due(now) or self.states[job].expired(now)}
        spent = {job for job in asked if self.states[job].status == "queued"} if self.paused else set()
        call = partial(lifecycle.claim, ids=ids, worker=self.boot(name).id, lease_seconds=LEASE_SECONDS)
        claims, changed = self.act(call)
        assert {claim.id for claim in claims} == (set() if self.paused else free)
        assert set(changed) <= {claim.id for claim in claims} | spent
        for state in (self.states[job] for job in spent):
            stay = (state.at("published_at"), state.at("queued_at"))
            assert stay == (None, self.world.now), "its message went for nothing, and a late note must not hide that"
        for claim in claims:
            self.check_claim(claim, changed[claim.id], name)
        for claim in sorted(claims, key=lambda claim: self.jobs.index(claim.id)):
            self.holds.append(claim.hold)
            self.answerable[claim.hold] = claim.id
        return claims

    def check_claim(self, claim: Claim, was: State, name: str) -> None:
        state = self.states[claim.id]
        assert claim.attempt == state.attempt == was.attempt + 1
        assert state.job["worker"] == self.boot(name).id
        assert state.at("lease_until") == self.world.now + seconds(LEASE_SECONDS)
        assert state.job["failures"] == was.job["failures"], "a loss counts no failure"
        if was.status == "running":
            assert state.attempts[-2]["outcome"] == "lost"

    @precondition(lambda self: self.holds)
    @rule(which=picks, data=st.data(), what=st.sampled_from(["renew", "commit", "fail", "release", "supersede"]))
    def write(self, which: list[int], data: st.DataObject, what: str) -> None:
        """One rule, not five: Hypothesis leaves some rules out of each history, and these matter in all."""
        match what:
            case "renew":
                self.renew(which, data.draw(st.floats(0, 1)), data.draw(st.integers(0, 2)))
            case "commit":
                self.commit(which)
            case "fail":
                self.fail(which, data.draw(st.booleans()), data.draw(chances))
            case "release":
                self.release(which, data.draw(st.sampled_from([Outcome.PREEMPTED, Outcome.LOST])))
            case "supersede":
                self.supersede(which)

    def renew(self, which: list[int], progress: float, steps: int) -> None:
        asked = chosen(self.believed, which)
        standing = {hold for hold in asked if self.stands(hold)}
        renewals = [Renewal(hold.id, hold.attempt, progress, "half way", steps, 1.5 * steps) for hold in asked]
        answer, changed = self.act(partial(lifecycle.renew, renewals=renewals, lease_seconds=LEASE_SECONDS))
        assert answer == standing
        assert set(changed) <= {hold.id for hold in standing}, "a stale hold changes no row"
        for hold in standing:
            state = self.states[hold.id]
            assert state.at("lease_until") == self.world.now + seconds(LEASE_SECONDS)
            assert (state.job["progress"], state.last["steps_stored"]) == (progress, steps)

    def end(
        self, asked: list[Hold], call: Callable[[Connection], Iterable[Hold]], *, chance: float = 0, nack: bool = False
    ) -> list[tuple[Hold, State, State]]:
        """Write endings; return the holds that stood, with their jobs before and after."""
        standing = {hold for hold in asked if self.stands(hold)}
        answer, changed = self.act(call, chance=chance)
        assert set(answer) == standing
        assert set(changed) == {hold.id for hold in standing}, "a stale hold changes no row"
        for hold in dict.fromkeys(asked):
            message = self.answerable.pop(hold, None)
            if message is not None and (nack or hold not in standing):  # a fenced worker's message comes again
                self.bag.append(message)
        return [(hold, changed[hold.id], self.states[hold.id]) for hold in standing]

    def commit(self, which: list[int]) -> None:
        asked = chosen(self.believed, which)
        for hold, was, now in self.end(asked, partial(lifecycle.commit, completions=[completion(h) for h in asked])):
            assert (now.status, now.attempt, now.last["outcome"]) == ("succeeded", hold.attempt, "succeeded")
            assert now.job["result"] == {"of": hold.attempt}
            assert [file["object"] for file in now.artifacts] == [f"{hold.id}/{hold.attempt}/thumbnail.webp"]
            assert now.job["failures"] == was.job["failures"]

    def fail(self, which: list[int], permanent: bool, chance: float) -> None:
        self.fail_holds(chosen(self.believed, which), permanent=permanent, chance=chance)

    def fail_holds(self, asked: list[Hold], *, permanent: bool, chance: float) -> None:
        failures = [Failure(hold.id, hold.attempt, "The disk is full.", permanent) for hold in asked]
        ended = self.end(asked, partial(lifecycle.fail, failures=failures, backoff=BACKOFF), chance=chance)
        for _, was, now in ended:
            assert now.last["outcome"] == "failed"
            self.check_failure(was, now, permanent=permanent)

    def check_failure(self, was: State, now: State, *, permanent: bool) -> None:
        before = was.job["failures"]
        assert now.job["failures"] == before + 1
        assert now.status == ("failed" if permanent or before + 1 >= BACKOFF.failures else "queued")
        longest = min(BACKOFF.base_seconds * 2**before, BACKOFF.longest_seconds)
        due = now.at("not_before")
        assert due is not None
        assert seconds(longest / 2) <= due - self.world.now <= seconds(longest)

    def release(self, which: list[int], outcome: Outcome) -> None:
        asked = chosen(self.believed, which)
        last = [Renewal(hold.id, hold.attempt, 0.5, "half way", hold.attempt + 2, 1.5) for hold in asked]
        call = partial(lifecycle.release, holds=last, outcome=outcome, reason="The VM was taken.")
        for hold, was, now in self.end(asked, call, nack=True):
            assert (now.status, now.last["outcome"]) == ("queued", outcome)
            assert now.last["steps_stored"] == hold.attempt + 2
            self.check_return(was, now)

    def check_return(self, was: State, now: State) -> None:
        assert now.job["failures"] == was.job["failures"], "only failures count"
        assert now.due(self.world.now)

    def supersede(self, which: list[int]) -> None:
        asked = chosen(self.believed, which)
        for _, _, now in self.end(asked, partial(lifecycle.supersede, holds=asked, reason="The file is gone.")):
            assert (now.status, now.last["outcome"]) == ("superseded", "cancelled")

    @precondition(lambda self: self.answerable)
    @rule(which=picks)
    def time_out(self, which: list[int]) -> None:
        """Deadlines of messages run out while their workers work, or are dead."""
        for hold in dict.fromkeys(chosen(list(self.answerable), which)):
            self.bag.append(self.answerable.pop(hold))

    @rule(name=machines, new_boot=st.booleans(), chance=chances)
    def start_again(self, name: str, new_boot: bool, chance: float) -> None:
        """An agent comes back, on the boot that it had or on another."""
        for hold in [hold for hold in self.answerable if self.states[hold.id].job["worker"] == self.boot(name).id]:
            self.bag.append(self.answerable.pop(hold))
        self.boots[name] += new_boot
        boot = self.boot(name)
        self.world.do(partial(workers.register, boot=boot))
        held = {
            j: s for j, s in self.states.items() if s.status == "running" and s.job["worker"].startswith(f"{name}/")
        }
        (lost, failed), changed = self.act(
            lambda c: lifecycle.recover(c, boot.instance, boot.id, BACKOFF), chance=chance
        )
        stuck = {j for j, s in held.items() if s.job["worker"] == boot.id and not s.last["steps_stored"]}
        assert {hold.id for hold in failed} == stuck
        assert {hold.id for hold in lost} == set(held) - stuck
        assert set(changed) == set(held)
        for job, was in held.items():
            if job in stuck:
                self.check_failure(was, self.states[job], permanent=False)
            else:
                assert self.states[job].last["outcome"] == "lost"
                self.check_return(was, self.states[job])

    @precondition(lambda self: any(map(self.stands, self.holds)))
    @rule(which=picks, name=machines)
    def freeze(self, which: list[int], name: str) -> None:
        """Workers renew nothing for too long, and another one takes over what they have; they do not know yet."""
        self.world.advance(LEASE_SECONDS + 1)
        self.claim(name, [hold.id for hold in chosen([hold for hold in self.holds if self.stands(hold)], which)])

    @precondition(lambda self: self.jobs)
    @rule(which=st.integers(0, 5), times=st.integers(1, 5), chance=chances)
    def fail_again_and_again(self, which: int, times: int, chance: float) -> None:
        [job] = chosen(self.jobs, [which])
        for _ in range(times):
            self.world.advance(BACKOFF.longest_seconds)
            for claim in self.claim("vm-1", [job]):
                self.fail_holds([claim.hold], permanent=False, chance=chance)

    # -- Time and the tick ---------------------------------------------------------------------------------------------

    @rule(by=st.sampled_from([0.5, 5, 15, 41, 41, 700, 4000, 8 * 86400]), restart=st.booleans())
    def wait(self, by: float, restart: bool) -> None:
        self.world.advance(by, restart=restart and by < LEASE_SECONDS)

    @rule(most=st.sampled_from([1, 1000]), was_away=st.booleans())
    def expire(self, most: int, was_away: bool) -> None:
        if was_away:  # nobody could renew while the database was
            self.world.advance(LEASE_SECONDS + 1, restart=True)
        now = self.world.now + seconds(0.001)
        young = self.world.up_since + seconds(LEASE_SECONDS) >= now
        late = [] if young else [job for job, state in self.states.items() if state.expired(now)]
        lost, changed = self.act(partial(lifecycle.expire, lease_seconds=LEASE_SECONDS, most=most))
        assert {hold.id for hold in lost} == set(changed) == set(late[:most])
        for job, was in changed.items():
            assert (self.states[job].status, self.states[job].last["outcome"]) == ("queued", "lost")
            self.check_return(was, self.states[job])

    @rule()
    def fold(self) -> None:
        _, changed = self.act(lambda connection: connection.execute(text("SELECT fold_job_counts()")).all())
        assert not changed

    # -- People --------------------------------------------------------------------------------------------------------

    @rule(on=st.sampled_from([True, False, False, False]))
    def pause(self, on: bool) -> None:
        _, changed = self.act(partial(pauses.pause if on else pauses.resume, by="ann@example.com"))
        assert not changed
        self.paused = on

    @precondition(lambda self: self.jobs)
    @rule(which=picks)
    def cancel(self, which: list[int]) -> None:
        asked = set(chosen(self.jobs, which))
        live = {job for job in asked if not self.states[job].final}
        answer, changed = self.act(partial(lifecycle.cancel, ids=list(asked), reason="Cancelled by Ann."))
        assert answer == live == set(changed)
        for job, was in changed.items():
            assert self.states[job].status == "cancelled"
            assert was.status == "queued" or self.states[job].last["outcome"] == "cancelled"

    @precondition(lambda self: self.jobs)
    @rule(which=picks)
    def retry(self, which: list[int]) -> None:
        asked = chosen(self.jobs, which)
        over = {job for job in asked if self.states[job].status in {"failed", "cancelled"}}
        self.reopened = over
        pending, changed = self.act(partial(lifecycle.retry, ids=asked))
        assert {p.id for p in pending} == over == set(changed)
        for job in over:
            state = self.states[job]
            assert state.due(self.world.now)
            assert (state.job["failures"], state.job["error"], state.job["finished_at"]) == (0, None, None)
            self.retried[job] = state.attempt
        self.listed += sorted(pending, key=lambda p: self.jobs.index(p.id))

    @precondition(lambda self: self.jobs)
    @rule(which=picks)
    def reroute(self, which: list[int]) -> None:
        asked = set(chosen(self.jobs, which))
        taken = {(s.job["object"], s.job["generation"]) for s in self.states.values() if s.job["pipeline"] == "image"}
        wanted = {
            job
            for job in asked
            if (row := self.states[job].job)["status"] in {"failed", "cancelled"}
            and row["pipeline"] == UNROUTED
            and (row["object"], row["generation"]) not in taken
        }
        self.reopened = wanted
        answer, changed = self.act(partial(lifecycle.reroute, pipelines=dict.fromkeys(asked, "image")))
        assert answer == wanted == set(changed)
        for job, was in changed.items():
            assert self.states[job].status == was.status

    # -- Two at once ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: any(map(self.stands, self.holds)))
    @rule(which=st.integers(0, 5), one=st.integers(0, 4), other=st.integers(0, 4))
    def two_endings_at_once(self, which: int, one: int, other: int) -> None:
        """Of two endings of one attempt that are written at the same moment, exactly one is."""
        [hold] = chosen([hold for hold in self.holds if self.stands(hold)], [which])
        endings: list[Callable[[Connection], Any]] = [
            lambda c: lifecycle.commit(c, [completion(hold)]),
            lambda c: lifecycle.fail(c, [Failure(hold.id, hold.attempt, "no", permanent=True)], BACKOFF),
            lambda c: lifecycle.release(c, [hold], outcome=Outcome.PREEMPTED, reason="The VM was taken."),
            lambda c: lifecycle.supersede(c, [hold], reason="The file is gone."),
            lambda c: lifecycle.commit(c, [completion(hold)]),
        ]
        before = self.states
        first, second = self.world.overlap(endings[one], endings[other])
        assert first
        assert not second, "it waited for the first, and found the job its own no more"
        assert set(self.look(before)) == {hold.id}
        if (message := self.answerable.pop(hold, None)) is not None:
            self.bag.append(message)

    @precondition(lambda self: self.jobs)
    @rule(which=picks)
    def two_claims_at_once(self, which: list[int]) -> None:
        """Of two workers that claim the same jobs at the same moment, each job has one."""
        asked, before = chosen(self.jobs, which), self.states
        free = {job for job in asked if before[job].due(self.world.now) or before[job].expired(self.world.now)}
        calls = [
            partial(lifecycle.claim, ids=ids, worker=self.boot(name).id, lease_seconds=LEASE_SECONDS)
            for name, ids in (("vm-1", asked), ("vm-2", asked[::-1]))
        ]
        claims, none = self.world.overlap(*calls)
        assert not none
        self.look(before)
        assert Counter(claim.id for claim in claims) == Counter(set() if self.paused else free)
        self.holds += [claim.hold for claim in sorted(claims, key=lambda claim: self.jobs.index(claim.id))]


def completion(hold: Hold) -> Completion:
    name = f"{hold.id}/{hold.attempt}/thumbnail.webp"
    artifact = NewArtifact("thumbnail", "results", name, 1, "image/webp", 10, "AAAAAA==", "thumbnail.webp")
    return Completion(hold.id, hold.attempt, {"of": hold.attempt}, [artifact])


PROFILE = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    """A database whose clock stands still."""
    world = World(database_url)
    yield world
    world.close()


def test_no_history_breaks_a_promise(world: World) -> None:
    """Random calls in random order, many of them with holds that are no longer any, leave every promise kept."""
    run_state_machine_as_test(partial(Life, world), settings=PROFILE)  # type: ignore[arg-type]  # any callable that makes one does
