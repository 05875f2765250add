"""What the lifecycle's state machine remembers of a history, and what must be true after each of its steps."""

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import Connection

from shared.jobs import Backoff, Hold, Pending
from shared.workers import Boot
from tests.integration.lifecycle_world import State, World

T = TypeVar("T")
LEASE_SECONDS = 40
REPUBLISH_SECONDS = 3600
BACKOFF = Backoff(base_seconds=10, longest_seconds=60, failures=5)


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


class Ledger(RuleBasedStateMachine):
    """All jobs as they were after the last call, who has which hold and message, and the promises."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.states: dict[uuid.UUID, State] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        self.paused = False
        self.jobs: list[uuid.UUID] = []  # as they came
        self.holds: list[Hold] = []  # all that anybody ever had
        self.answerable: dict[Hold, uuid.UUID] = {}  # whose message is not answered yet
        self.bag: list[uuid.UUID] = []  # messages in Pub/Sub
        self.listed: list[Pending] = []  # by publishers that have not sent them yet
        self.sent: list[Pending] = []  # by publishers that have not noted it yet
        self.silent: set[tuple[uuid.UUID, Any]] = set()  # stays in the queue whose message was lost
        self.retried: dict[uuid.UUID, int] = {}  # the attempt at the latest retry
        self.reopened: set[uuid.UUID] = set()  # that the last step may have taken out of a final state
        self.boots = {"vm-1": 1, "vm-2": 1, "vm-3": 1}

    def boot(self, name: str) -> Boot:
        return Boot(name, "us-central1-a", f"{self.boots[name]:08}", "e2-standard-2", 2)

    def act(self, call: Callable[[Connection], T], *, chance: float = 0) -> tuple[T, dict[uuid.UUID, State]]:
        """Call; return the answer and the jobs that it changed, as they were. Time never runs backwards for any."""
        before = self.states
        answer = self.world.do(call, chance=chance)
        return answer, self.look(before)

    def look(self, before: dict[uuid.UUID, State]) -> dict[uuid.UUID, State]:
        self.states, self.counts = self.world.look()
        changed = {job: state for job, state in before.items() if self.states[job] != state}
        for job, was in changed.items():
            now = self.states[job]
            assert now.attempt >= was.attempt, "an attempt is never given twice"
            assert not was.final or job in self.reopened, f"{was.status} is final"
            if now.status == "queued" and now.at("queued_at") != was.at("queued_at"):
                assert now.at("published_at") is None, "whatever enters the queue clears published_at"
        self.reopened = set()
        return changed

    def stands(self, hold: Hold) -> bool:
        """What the guard of every write by a holder says."""
        state = self.states.get(hold.id)
        return state is not None and state.status == "running" and state.attempt == hold.attempt

    @property
    def believed(self) -> list[Hold]:
        """All holds that anybody ever had; last those that stand, and those of jobs that somebody else has by now."""

        def interest(hold: Hold) -> int:
            return 0 if self.states[hold.id].status != "running" else 1 + (not self.stands(hold))

        return sorted(self.holds, key=interest)

    def unannounced(self, state: State) -> bool:
        published = state.at("published_at")
        return state.due(self.world.now) and (
            published is None or published < self.world.now - seconds(REPUBLISH_SECONDS)
        )

    @invariant()
    def one_winner(self) -> None:
        """A job has succeeded by exactly one attempt, its last, and shows the files of that attempt alone."""
        for state in self.states.values():
            winners = [attempt["attempt"] for attempt in state.attempts if attempt["outcome"] == "succeeded"]
            assert winners == ([state.attempt] if state.status == "succeeded" else [])
            assert [file["attempt"] for file in state.artifacts] == winners

    @invariant()
    def one_open_attempt(self) -> None:
        """Attempts count from 1, and only the last of a running job is open, in the hands of the job's worker."""
        for state in self.states.values():
            assert [attempt["attempt"] for attempt in state.attempts] == list(range(1, state.attempt + 1))
            still = [(a["attempt"], a["worker"]) for a in state.attempts if a["ended_at"] is None]
            assert still == ([(state.attempt, state.job["worker"])] if state.status == "running" else [])
            assert all((attempt["ended_at"] is None) == (attempt["outcome"] is None) for attempt in state.attempts)

    @invariant()
    def only_failures_count(self) -> None:
        """The failures of a job are its attempts since the latest retry that failed, and are fewer than are allowed."""
        for job, state in self.states.items():
            since = self.retried.get(job, 0)
            failed = [a for a in state.attempts if a["outcome"] == "failed" and a["attempt"] > since]
            assert state.job["failures"] == len(failed)
            assert state.status == "failed" or len(failed) < BACKOFF.failures

    @invariant()
    def counts_are_true(self) -> None:
        """The roll-up says what counting would say."""
        true = Counter((state.job["owner"] or "", state.status) for state in self.states.values())
        assert self.counts == true

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """A due job is on the tick's list, or has a message that somebody will get."""
        for job, state in self.states.items():
            if not state.due(self.world.now) or self.unannounced(state):
                continue
            on_its_way = job in self.bag or job in self.answerable.values()
            assert on_its_way or (job, state.job["queued_at"]) in self.silent
