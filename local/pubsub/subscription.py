"""One subscription at work: what waits, who holds what, and who is asking."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from local.pubsub.backlog import Backlog, PlainBacklog
from local.pubsub.clock import Clock
from local.pubsub.leases import Holder, Lease, Leases
from local.pubsub.payloads import Payloads
from local.pubsub.retry import backoff_seconds
from local.pubsub.wire import received_message

_READ_AHEAD = 256

Delivery = tuple[Lease, bytes]


class Taker(Holder, Protocol):
    """A pull or a stream that wants messages."""

    def room(self) -> int:
        """How many messages it takes now."""

    def ack_deadline_seconds(self) -> int:
        """How long it may hold a message; 0 leaves that to the subscription."""

    def take(self, lease: Lease, received: bytes) -> None:
        """Add a message, ready for the wire."""


class Owner(Protocol):
    """What a subscription asks of the broker: to make durable what it decides in memory."""

    clock: Clock
    payloads: Payloads

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
        self.backlog: Backlog = PlainBacklog()
        self.leases = Leases()
        self.active_at = owner.clock.monotonic()
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
        self.active_at = self._clock.monotonic()
        self._takers.append(taker)
        self.pump()

    def leave(self, taker: Taker) -> None:
        """Serve it no longer; what it holds stays leased until the deadline."""
        self.active_at = self._clock.monotonic()
        if taker in self._takers:
            self._takers.remove(taker)

    @property
    def takers(self) -> Sequence[Taker]:
        """Who is being served."""
        return tuple(self._takers)

    def pump(self) -> None:
        """Hand out what is due, in equal shares among those with room, starting with who waited longest."""
        now = self._clock.monotonic()
        while self.backlog.head(now) is not None:
            open_takers = [taker for taker in self._takers if taker.room() > 0]
            if not open_takers:
                break
            share = max(1, len(self.backlog) // len(open_takers))
            for taker in open_takers:
                for _ in range(min(share, taker.room())):
                    if taker.room() <= 0 or not self._deliver(taker, now):
                        break
                self._takers.remove(taker)
                self._takers.append(taker)
        self._arm(now)

    def acknowledge(self, ack_ids: Iterable[str]) -> tuple[asyncio.Future[None] | None, list[str]]:
        """Settle deliveries. Returns the future of the commit (None if there is nothing to store) and invalid ids."""
        settled: list[int] = []
        invalid: list[str] = []
        for ack_id in ack_ids:
            message_id = self._message_of(ack_id)
            lease = self.leases.get(message_id)
            if lease is not None and (lease.ack_id == ack_id or not self.config.enable_exactly_once_delivery):
                self.leases.end(message_id)
                settled.append(message_id)
            elif message_id and not self.config.enable_exactly_once_delivery and self.backlog.settle(message_id):
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
                self.backlog.give_back(lease.message_id, lease.attempt - 1, now)
        self.pump()

    def tick(self) -> None:
        """Return what has expired and hand out what has become due."""
        self._disarm()
        now = self._clock.monotonic()
        expired = self.leases.expired(now)
        if expired:
            self._return(expired, now)
        self.pump()

    def close(self) -> None:
        """Forget everything: the subscription was deleted or detached."""
        self.open = False
        self._disarm()
        self.leases = Leases()
        self.backlog = PlainBacklog()

    def _deliver(self, taker: Taker, now: float) -> bool:
        message_id = self.backlog.head(now)
        while message_id is not None:
            body = self._owner.payloads.get(message_id, self.backlog.upcoming(_READ_AHEAD))
            _, attempts = self.backlog.pop(now)
            if body is not None:
                break
            message_id = self.backlog.head(now)  # the message outlived its retention
        else:
            return False
        deadline = now + (taker.ack_deadline_seconds() or self.config.ack_deadline_seconds)
        ack_id = f"{self.id}-{next(self._serials):x}-{message_id}"
        lease = Lease(message_id, ack_id, attempts + 1, deadline, len(body), taker)
        self.leases.add(lease)
        attempt = lease.attempt if self.dead_letter_policy is not None else 0
        taker.take(lease, received_message(ack_id, body, attempt))
        return True

    def _return(self, leases: Sequence[Lease], now: float) -> None:
        policy = self.dead_letter_policy
        for lease in leases:
            if policy is not None:
                if lease.attempt >= policy.max_delivery_attempts and self._owner.undeliverable(self, lease):
                    continue
                self._owner.attempted(self, lease.attempt, [lease.message_id])
            delay = backoff_seconds(self.retry_policy, lease.attempt)
            self.backlog.give_back(lease.message_id, lease.attempt, now + delay)

    def _message_of(self, ack_id: str) -> int:
        """The message an ack id was made for; 0 if it was not made by this subscription."""
        subscription, _, rest = ack_id.partition("-")
        message_id = rest.rpartition("-")[2]
        return int(message_id) if subscription == str(self.id) and message_id.isdecimal() else 0

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
