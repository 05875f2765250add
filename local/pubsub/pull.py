"""One unary pull: it waits for the first messages, then leaves with what there is."""

import asyncio

from local.pubsub.leases import Lease
from local.pubsub.refusal import RefusedError
from local.pubsub.subscription import Subscription

#: A client that was pointed here by PUBSUB_EMULATOR_HOST cannot receive more than gRPC's default of 4 MiB at once, so
#: only a message that is larger by itself makes a larger response.
_MAX_RESPONSE_BYTES = 3 << 20


class Pull:
    """A taker of at most ``max_messages`` for one request."""

    def __init__(self, max_messages: int) -> None:
        self._max_messages = max_messages
        self._leases: list[Lease] = []
        self._received: list[bytes] = []
        self._bytes = 0
        self._full = False
        self._refusal: RefusedError | None = None
        self._first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def serve(self, subscription: Subscription, wait_seconds: float) -> bytes:
        """Return a PullResponse, an empty one if nothing arrives in time.

        Raises:
            RefusedError: the subscription or the server went away.
        """
        subscription.enter(self)
        try:
            if not self._received and wait_seconds > 0:
                await asyncio.wait([self._first], timeout=wait_seconds)
        except asyncio.CancelledError:
            subscription.leave(self)
            subscription.unsend(self._leases)
            raise
        subscription.leave(self)
        if self._refusal is not None and not self._received:
            raise self._refusal
        return b"".join(self._received)

    def room(self) -> int:
        return 0 if self._full else self._max_messages - len(self._received)

    def accepts(self, size_bytes: int) -> bool:
        self._full = bool(self._received) and self._bytes + size_bytes > _MAX_RESPONSE_BYTES
        return not self._full

    def ack_deadline_seconds(self) -> int:
        return 0

    def take(self, lease: Lease, received: bytes) -> None:
        self._leases.append(lease)
        self._received.append(received)
        self._bytes += len(received)
        if not self._first.done():
            self._first.set_result(None)

    def end(self, refusal: RefusedError | None = None) -> None:
        self._refusal = refusal
        if not self._first.done():
            self._first.set_result(None)

    def released(self, size_bytes: int) -> None:
        """A unary pull has no flow control: it counts nothing."""
