"""The backlogs of the local Pub/Sub server against what they promise, over random histories."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from local.pubsub.backlog import Backlog
from local.pubsub.ordered_backlog import OrderedBacklog
from local.pubsub.plain_backlog import PlainBacklog

TAKERS = ("a", "b", "c")
KEYS = ("", "x", "y")


class History(RuleBasedStateMachine):
    """Messages are added, taken, acknowledged, given back; every one is somewhere until it is done."""

    backlog: Backlog

    def __init__(self) -> None:
        super().__init__()
        self.backlog = self.empty()
        self.now = 1.0
        self.keys: dict[int, str] = {}
        #: Taken by whom, as the server's leases would know it.
        self.leased: dict[int, str] = {}
        #: Acknowledged, but not done as long as a message before it is not.
        self.acknowledged: set[int] = set()
        self.done: set[int] = set()

    def empty(self) -> Backlog:
        return PlainBacklog()

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 4))
    def add(self, key: str, count: int) -> None:
        added = [len(self.keys) + 1 + number for number in range(count)]
        self.keys.update(dict.fromkeys(added, key))
        self.backlog.add(added, [key] * count)

    @rule(taker=st.sampled_from(TAKERS))
    def take(self, taker: str) -> None:
        taken = self.backlog.take(self.now, taker)
        if taken is not None:
            message_id, _ = taken
            assert message_id not in self.leased
            assert message_id not in self.done
            self.may_take(message_id, taker)
            self.leased[message_id] = taker

    def may_take(self, message_id: int, taker: str) -> None:
        """Any message may go to anybody."""

    @rule(data=st.data())
    def acknowledge(self, data: st.DataObject) -> None:
        if self.leased:
            message_id = data.draw(st.sampled_from(sorted(self.leased)))
            del self.leased[message_id]
            self.acknowledged.add(message_id)
            self.done.update(self.backlog.acknowledged(message_id))
            self.acknowledged -= self.done

    @rule(data=st.data(), delay=st.sampled_from([0.0, 0.0, 5.0]))
    def give_back(self, data: st.DataObject, delay: float) -> None:
        if self.leased:
            message_id = data.draw(st.sampled_from(sorted(self.leased)))
            del self.leased[message_id]
            for revoked in self.backlog.give_back(message_id, 1, self.now + delay):
                self.leased.pop(revoked, None)
                self.acknowledged.discard(revoked)

    @rule(taker=st.sampled_from(TAKERS))
    def leave(self, taker: str) -> None:
        self.backlog.left(taker)

    @rule()
    def wait(self) -> None:
        self.now += 10

    @invariant()
    def nothing_is_forgotten(self) -> None:
        waiting = len(self.keys) - len(self.done) - len(self.leased)
        assert len(self.backlog) >= waiting

    def teardown(self) -> None:
        """When everybody gives up and one taker comes back for all, all of it is delivered."""
        for message_id in sorted(self.leased):
            if message_id in self.leased:
                del self.leased[message_id]
                for revoked in self.backlog.give_back(message_id, 1, self.now):
                    self.leased.pop(revoked, None)
        self.now += 100
        for _ in range(len(self.keys) + 1):
            taken = self.backlog.take(self.now, "last")
            if taken is None:
                break
            self.done.update(self.backlog.acknowledged(taken[0]))
        assert self.done == set(self.keys)


class PlainHistory(History):
    """Without order, a message that waits may be settled by an ack id of a former run, also more than once."""

    @rule(attempts=st.sampled_from([0, 1]))
    def restore(self, attempts: int) -> None:
        message_id = len(self.keys) + 1
        self.keys[message_id] = ""
        self.backlog.restore(message_id, "", attempts)

    @rule(data=st.data())
    def acknowledge_late(self, data: st.DataObject) -> None:
        if unheld := sorted(self.keys.keys() - self.leased.keys()):
            message_id = data.draw(st.sampled_from(unheld))
            settled = self.backlog.settle_waiting(message_id)
            assert settled or message_id in self.done
            self.done.add(message_id)


class OrderedHistory(History):
    """With ordering, a key has one holder, and its messages go out in order."""

    def empty(self) -> Backlog:
        return OrderedBacklog()

    def may_take(self, message_id: int, taker: str) -> None:
        key = self.keys[message_id]
        if not key:
            return
        holders = {holder for held, holder in self.leased.items() if self.keys[held] == key}
        assert holders <= {taker}
        earlier = {other for other, its_key in self.keys.items() if its_key == key and other < message_id}
        assert earlier <= self.leased.keys() | self.acknowledged | self.done


def test_an_acknowledgement_that_comes_twice_hides_no_other_message() -> None:
    """A message of before a restart is delivered, acknowledged, and again by its old ack id: the others still wait."""
    backlog = PlainBacklog()
    for message_id, attempts in ((1, 0), (2, 1), (3, 0)):
        backlog.restore(message_id, "", attempts)
    assert backlog.take(1.0, "a") == (2, 1)
    backlog.acknowledged(2)
    backlog.settle_waiting(2)
    assert backlog.take(1.0, "a") == (1, 0)
    assert len(backlog) >= 1, "a backlog that counts as empty is never looked into"
    assert backlog.take(1.0, "a") == (3, 0)


TestPlainBacklog = PlainHistory.TestCase
TestOrderedBacklog = OrderedHistory.TestCase
TestPlainBacklog.settings = TestOrderedBacklog.settings = settings(max_examples=200, stateful_step_count=40)
