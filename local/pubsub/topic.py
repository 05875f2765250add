"""One topic and who listens to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from local.pubsub.clock import Clock
from local.pubsub.statements import MessageRow
from local.pubsub.subscription import Subscription


@dataclass(slots=True)
class Snapshot:
    """A snapshot: its id is one of a subscription's, its backlog one that nobody reads."""

    id: int
    config: Any


class Topic:
    """A topic's settings and the backlogs that its messages enter."""

    def __init__(self, identity: int, config: Any) -> None:
        self.id = identity
        self.config = config
        self.subscriptions: list[Subscription] = []
        #: Ids of the snapshots that collect what is published after they were taken.
        self.snapshots: list[int] = []

    @property
    def retention_us(self) -> int:
        """How long messages stay for a seek although every subscription has acknowledged them."""
        return int(self.config.message_retention_duration.ToMicroseconds())

    def stamp(self, messages: Sequence[Any], clock: Clock) -> list[MessageRow]:
        """Give messages their identity and publish time, and make rows of them."""
        rows: list[MessageRow] = []
        for message in messages:
            identity = clock.identity()
            message.message_id = str(identity)
            message.publish_time.seconds, microseconds = divmod(identity, 1_000_000)
            message.publish_time.nanos = microseconds * 1000
            rows.append((identity, self.id, message.ordering_key, message.SerializeToString()))
        return rows
