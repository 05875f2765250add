"""One subscription at work: what waits, who holds what, and who is asking."""

import asyncio
import itertools
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Protocol

from local.faults.injection import Faults
from local.pubsub.backlog import Backlog
from local.pubsub.clock import Clock
from local.pubsub.leases import Holder, Lease, Leases
from local.pubsub.ordered_backlog import OrderedBacklog
from local.pubsub.payloads import Payloads
from local.pubsub.plain_backlog import PlainBacklog
from local.pubsub.refusal import RefusedError
from local.pubsub.retry import backoff_seconds
from local.pubsub.statements import MessageRow
from local.pubsub.wire import received_message

#: A message id fits into 63 bits; anything longer in an ack id was never ours.
_MAX_ID_DIGITS = 18


class Taker(Holder, Protocol):
    """A pull or a stream that wants messages."""

    def room(self) -> int:
        """How many messages it takes now."""

    def accepts(self, size_bytes: int) -> bool:
        """Whether a message of that size still fits; if not, there is no room for any other either."""

    def ack_deadline_seconds(self) -> int:
        """How long it may hold a message; 0 leaves that to the subscription."""

    def take(self, lease: Lease, received: bytes) -> None:
        """Add a message, ready for the wire."""

    def end(self, refusal: RefusedError | None = None) -> None:
        """Serve no more: the subscription or the server goes away."""


class Owner(Protocol):
    """What a subscription asks of the broker: to make durable what it decides in memory."""

    clock: Clock
    payloads: Payloads
    faults: Faults

    def settled(self, subscription: "Subscription", message_ids: Sequence[int]) -> asyncio.Future[None]:
        """Acknowledged messages leave the disk."""

    def undeliverable(self, subscription: "Subscription", lease: Lease) -> bool:
        """A message reached the attempts its policy allows; False if there is nowhere to forward it."""

    def attempted(self, subscription: "Subscription", attempts: int, message_ids: Sequence[int]) -> None:
        """Deliveries of a dead-lettering subscription are counted across restarts."""


class Subscription:
    """State of one subscription. Everything runs in the event loop; nothing here waits."""

    #: Starts at the time, so that no ack id of one run of the server is given out again by the next.
    _serials = itertools.count(time.time_ns() // 1000)

    def __init__(self, identity: int, config: Any, owner: Owner, matches: Callable[[Any], bool] | None) -> None:
        self.id = identity
        self.config = config
        self.matches = matches
        self.open = True
        self.backlog = self._empty_backlog()
        self.leases = Leases()
        self._active_at = owner.clock.monotonic()
        self._owner = owner
        self._clock = owner.clock
        self._takers: deque[Taker] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")

    @property
    def dead_letter_policy(self) -> Any | None:
        """The policy, if there is one."""
        return self.config.dead_letter_policy if self.config.HasField("dead_letter_policy") else None

    @property
    def retry_policy(self) -> Any | None:
        """The policy, if there is one."""
        return self.config.retry_policy if self.config.HasField("retry_policy") else None

    def enter(self, taker: Taker) -> None:
        """Begin to serve a pull or a stream."""
        self._active_at = self._clock.monotonic()
        self._takers.append(taker)
        self.pump()

    def leave(self, taker: Taker) -> None:
        """Serve it no longer; what it holds stays leased until the deadline."""
        self._active_at = self._clock.monotonic()
        if taker in self._takers:
            self._takers.remove(taker)
        self.backlog.left(taker)

    def end_takers(self, refusal: RefusedError) -> None:
        """Answer every open pull and stream."""
        for taker in tuple(self._takers):
            taker.end(refusal)

    def idle_seconds(self) -> float:
        """How long nobody has asked for messages."""
        return 0.0 if self._takers else self._clock.monotonic() - self._active_at

    def pump(self) -> None:
        """Hand out what is due, in equal shares among those with room, starting with who waited longest."""
        now = self._clock.monotonic()
        delivered = True
        while delivered and len(self.backlog):
            delivered = False
            open_takers = [taker for taker in self._takers if taker.room() > 0]
            share = -(-len(self.backlog) // max(1, len(open_takers)))
            for taker in open_takers:
                given = 0
                while given < share and taker.room() > 0 and self._deliver(taker, now):
                    given += 1
                if given:
                    delivered = True
                    self._takers.remove(taker)
                    self._takers.append(taker)
        self._arm(now)

    def hold_back(self, rows: Sequence[MessageRow]) -> Sequence[MessageRow]:
        """Keep some messages back for as long as a fault wants; return the others."""
        if self.config.enable_message_ordering:
            return rows
        now, others = self._clock.monotonic(), []
        for row in rows:
            delay = self._owner.faults.delay(f"Deliver {self.config.name}")
            if delay is None:
                others.append(row)
            else:
                self._give_back(row[0], 0, now + delay)
        return others

    def acknowledge(self, ack_ids: Iterable[str]) -> tuple[asyncio.Future[None] | None, list[str]]:
        """Settle deliveries. Returns the future of the commit (None if there is nothing to store) and invalid ids."""
        if self._owner.faults.active and self._owner.faults.pick("lose_ack", f"Acknowledge {self.config.name}"):
            return None, []
        settled: list[int] = []
        invalid: list[str] = []
        # Without these two promises, an ack counts although the message is on its way to somebody else.
        strict = self.config.enable_exactly_once_delivery or self.config.enable_message_ordering
        for ack_id in ack_ids:
            message_id = self._message_of(ack_id)
            lease = self.leases.get(message_id)
            if lease is not None and (lease.ack_id == ack_id or not strict):
                self.leases.end(message_id)
                settled.extend(self.backlog.acknowledged(message_id))
            elif not strict and self.backlog.settle_waiting(message_id):
                settled.append(message_id)
            else:
                invalid.append(ack_id)
        if not settled:
            return None, invalid
        future = self._owner.settled(self, settled)
        self.pump()
        return future, invalid

    def modify_deadlines(self, ack_ids: Iterable[str], seconds: Iterable[int]) -> list[str]:
        """Extend leases, or end them where the new deadline is 0. Returns the ids that hold no lease."""
        now = self._clock.monotonic()
        invalid: list[str] = []
        returned: list[Lease] = []
        for ack_id, deadline_seconds in zip(ack_ids, seconds, strict=False):
            lease = self.leases.get(self._message_of(ack_id))
            if lease is None or lease.ack_id != ack_id:
                invalid.append(ack_id)
            elif deadline_seconds:
                self.leases.move(lease, now + deadline_seconds)
            else:
                self.leases.end(lease.message_id)
                returned.append(lease)
        if returned:
            self._return(returned, now)
            self.pump()
        return invalid

    def unsend(self, leases: Iterable[Lease]) -> None:
        """Take back deliveries that never left the server; they do not count as attempts."""
        now = self._clock.monotonic()
        for lease in leases:
            if self.leases.get(lease.message_id) is lease:
                self.leases.end(lease.message_id)
                self._give_back(lease.message_id, lease.attempt - 1, now)
        self.pump()

    def tick(self) -> None:
        """Return what has expired and hand out what has become due."""
        self._disarm()
        now = self._clock.monotonic()
        expired = self.leases.expired(now)
        if expired:
            self._return(expired, now)
        self.pump()

    def close(self, refusal: RefusedError) -> None:
        """Forget everything: the subscription was deleted or detached."""
        self.open = False
        self.end_takers(refusal)
        self._disarm()
        self.leases = Leases()
        self.backlog = self._empty_backlog()

    def restart(self, waiting: Iterable[tuple[int, str]]) -> None:
        """Begin anew with these messages (id, ordering key): a seek."""
        self.leases.end_all()
        self.backlog = self._empty_backlog()
        for message_id, key in waiting:
            self.backlog.restore(message_id, key, 0)
        self.pump()

    def forwarded(self, lease: Lease) -> Sequence[int]:
        """A message is in the dead-letter topic. Returns the messages that are thereby done."""
        return self.backlog.acknowledged(lease.message_id)

    def not_forwarded(self, lease: Lease) -> None:
        """A message could not be stored in the dead-letter topic: it is delivered once more."""
        self._give_back(lease.message_id, lease.attempt, self._clock.monotonic())
        self.pump()

    def _empty_backlog(self) -> Backlog:
        return OrderedBacklog() if self.config.enable_message_ordering else PlainBacklog()

    def _deliver(self, taker: Taker, now: float) -> bool:
        body = None
        while body is None:
            taken = self.backlog.take(now, taker)
            if taken is None:
                return False
            message_id, attempts = taken
            body = self._owner.payloads.get(message_id, self.backlog)
            if body is None:
                self.backlog.acknowledged(message_id)  # it outlived its retention
        if not taker.accepts(len(body)):
            self._give_back(message_id, attempts, now)
            return False
        deadline = now + (taker.ack_deadline_seconds() or self.config.ack_deadline_seconds)
        ack_id = f"{self.id}-{next(self._serials):x}-{message_id}"
        lease = Lease(message_id, ack_id, attempts + 1, deadline, len(body), taker)
        self.leases.add(lease)
        attempt = lease.attempt if self.dead_letter_policy is not None else 0
        taker.take(lease, received_message(ack_id, body, attempt))
        if self._owner.faults.active and lease.attempt == 1:
            self._duplicate(lease, now)
        return True

    def _duplicate(self, lease: Lease, now: float) -> None:
        """Have a first delivery doubled if a fault wants it: the lease is lost, and who has it still works on it."""
        if (rule := self._owner.faults.pick("duplicate", f"Deliver {self.config.name}")) is not None:
            self.leases.end(lease.message_id)
            self._give_back(lease.message_id, lease.attempt, now + rule.delay_seconds)

    def _return(self, leases: Sequence[Lease], now: float) -> None:
        policy = self.dead_letter_policy
        attempted = defaultdict[int, list[int]](list)
        revoked: set[int] = set()
        for lease in sorted(leases, key=attrgetter("message_id")):
            if lease.message_id in revoked:
                continue
            if policy is not None:
                if lease.attempt >= policy.max_delivery_attempts and self._owner.undeliverable(self, lease):
                    continue
                attempted[lease.attempt].append(lease.message_id)
            delay = backoff_seconds(self.retry_policy, lease.attempt)
            revoked.update(self._give_back(lease.message_id, lease.attempt, now + delay))
        for attempts, message_ids in attempted.items():
            self._owner.attempted(self, attempts, message_ids)

    def _give_back(self, message_id: int, attempts: int, available_at: float) -> Sequence[int]:
        revoked = self.backlog.give_back(message_id, attempts, available_at)
        for later in revoked:
            self.leases.end(later)
        return revoked

    def _message_of(self, ack_id: str) -> int:
        """The message an ack id was made for; 0 if it was not made by this subscription."""
        subscription, _, rest = ack_id.partition("-")
        message_id = rest.rpartition("-")[2]
        ours = subscription == str(self.id) and len(message_id) <= _MAX_ID_DIGITS and message_id.isdecimal()
        return int(message_id) if ours else 0

    def _arm(self, now: float) -> None:
        due = self.backlog.next_due()
        deadline = self.leases.next_deadline()
        # What is due already waits for a taker with room, not for the time.
        times = [] if due is None or due <= now else [due]
        if deadline is not None:
            times.append(deadline)
        if not times or min(times) >= self._timer_at:
            return
        self._disarm()
        self._timer_at = min(times)
        delay = max(0.0, self._timer_at - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self.tick)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_at = float("inf")
