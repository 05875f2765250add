"""``spotmill.local.Clock/Advance``: tests move the server's time forward instead of waiting for it."""

from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from local.pubsub import rpc
from local.pubsub.broker import Broker
from local.pubsub.retention import Retention


class TimeTravel:
    """Served only where ``--test-clock`` asks for it."""

    def __init__(self, broker: Broker, retention: Retention) -> None:
        self._broker = broker
        self._retention = retention

    def handler(self) -> grpc.GenericRpcHandler:
        """The service for a gRPC server."""
        return rpc.service("spotmill.local.Clock", {"Advance": rpc.unary(Duration, self.advance)})

    async def advance(self, request: Any) -> Timestamp:
        """Move the clock by a Duration and do at once all that is thereby due; answers the new time."""
        self._broker.clock.advance(request.ToTimedelta().total_seconds())
        for subscription in list(self._broker.subscriptions.values()):
            subscription.tick()
        await self._retention.sweep()
        now = Timestamp()
        now.FromMicroseconds(self._broker.clock.now_us())
        return now
