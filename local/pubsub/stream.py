"""One streaming pull: what it was sent, what it may still be sent, and the responses on their way."""

import asyncio
import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import grpc
from google.pubsub_v1.types import pubsub

from local.faults.injection import Faults
from local.pubsub import settings
from local.pubsub.faults import refusal
from local.pubsub.leases import Lease
from local.pubsub.refusal import RefusedError, invalid
from local.pubsub.subscription import Subscription

_log = logging.getLogger(__name__)

_Response = pubsub.StreamingPullResponse.pb()

#: What waits for the transport at any time: enough to fill a response, too little to hoard.
_MAX_WAITING_MESSAGES = 500
_MAX_WAITING_BYTES = 1 << 20
_MAX_RESPONSE_BYTES = 3 << 20


class Stream:
    """A taker whose room is its flow control (https://cloud.google.com/pubsub/docs/flow-control)."""

    def __init__(self, subscription: Subscription, first: Any, context: Any, faults: Faults) -> None:
        self._subscription = subscription
        self._context = context
        self._faults = faults
        self._max_messages = first.max_outstanding_messages
        self._max_bytes = first.max_outstanding_bytes
        self._ack_deadline_seconds = first.stream_ack_deadline_seconds
        self._outstanding_messages = 0
        self._outstanding_bytes = 0
        self._waiting: list[tuple[Lease, bytes]] = []
        self._waiting_bytes = 0
        self._confirmations: list[bytes] = []
        self._confirming: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._ended = False
        self._refusal: RefusedError | None = None

    async def serve(self, first: Any) -> None:
        """Send messages and obey requests until the client closes its side or the subscription goes."""
        await self._context.write(self._properties())
        self._subscription.enter(self)
        requests = asyncio.get_running_loop().create_task(self._read(first))
        try:
            await self._write()
        finally:
            for task in (requests, *self._confirming):
                task.cancel()
            self._subscription.leave(self)
            self._subscription.unsend([lease for lease, _ in self._waiting])
        if self._refusal is not None:
            raise self._refusal

    def room(self) -> int:
        if self._ended or self._waiting_bytes >= _MAX_WAITING_BYTES:
            return 0
        if 0 < self._max_bytes <= self._outstanding_bytes:
            return 0
        room = _MAX_WAITING_MESSAGES - len(self._waiting)
        return min(room, self._max_messages - self._outstanding_messages) if self._max_messages > 0 else room

    def accepts(self, size_bytes: int) -> bool:  # noqa: ARG002 - bytes may pass their limit by one message, as documented
        return True

    def ack_deadline_seconds(self) -> int:
        return int(self._ack_deadline_seconds)

    def take(self, lease: Lease, received: bytes) -> None:
        self._waiting.append((lease, received))
        self._waiting_bytes += len(received)
        self._outstanding_messages += 1
        self._outstanding_bytes += lease.size_bytes
        self._wake.set()

    def released(self, size_bytes: int) -> None:
        self._outstanding_messages -= 1
        self._outstanding_bytes -= size_bytes

    def end(self, refusal: RefusedError | None = None) -> None:
        """Close the stream after what is already on its way."""
        self._ended = True
        self._refusal = self._refusal or refusal
        self._wake.set()

    async def _write(self) -> None:
        while not self._ended or self._waiting:
            await self._wake.wait()
            self._wake.clear()
            if self._faults.active and self._waiting:
                call = f"StreamingPull {self._subscription.config.name}"
                if (rule := self._faults.pick("cut_stream", call)) is not None:
                    raise refusal(rule)
            await self._send()
        if self._confirming:
            await asyncio.wait(self._confirming)
        await self._send()

    async def _send(self) -> None:
        """Send what waits."""
        properties = self._properties()  # an update may have changed them
        sending, self._waiting, self._waiting_bytes = self._waiting, [], 0
        confirmations, self._confirmations = self._confirmations, []
        for confirmation in confirmations:
            await self._context.write(confirmation + properties)
        if sending:
            self._subscription.pump()  # fill the next response while this one is on its way
            for response in _responses([received for _, received in sending]):
                await self._context.write(response + properties)
            self._subscription.pump()

    async def _read(self, first: Any) -> None:
        request = first
        try:
            while request is not grpc.aio.EOF:
                self._obey(request)
                request = await self._context.read()
                if request is not grpc.aio.EOF:
                    _check_later(request)
        except RefusedError as refusal:
            self.end(refusal)
        except Exception as error:  # noqa: BLE001 - without its reader a stream would stay open and deaf
            _log.exception("pubsub.stream_failed subscription=%s", self._subscription.config.name)
            self.end(RefusedError(grpc.StatusCode.INTERNAL, f"The stream could not be read: {error}"))
        else:
            self.end()

    def _obey(self, request: Any) -> None:
        if request.stream_ack_deadline_seconds:
            settings.check_deadline(request.stream_ack_deadline_seconds, minimum=10)
            self._ack_deadline_seconds = request.stream_ack_deadline_seconds
        if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
            raise invalid("modify_deadline_seconds and modify_deadline_ack_ids must have the same size.")
        for seconds in request.modify_deadline_seconds:
            settings.check_deadline(seconds, minimum=0)
        if request.ack_ids:
            stored, refused = self._subscription.acknowledge(request.ack_ids)
            self._confirm_acks(request.ack_ids, refused, stored)
        if request.modify_deadline_ack_ids:
            refused = self._subscription.modify_deadlines(
                request.modify_deadline_ack_ids, request.modify_deadline_seconds
            )
            self._confirm_deadlines(request.modify_deadline_ack_ids, refused)

    def _confirm_acks(
        self, ack_ids: Sequence[str], refused: Collection[str], stored: asyncio.Future[None] | None
    ) -> None:
        if not self._subscription.config.enable_exactly_once_delivery:
            return
        response = _Response()
        response.acknowledge_confirmation.ack_ids.extend(set(ack_ids).difference(refused))
        response.acknowledge_confirmation.invalid_ack_ids.extend(refused)

        async def confirm() -> None:
            if stored is not None:
                await asyncio.shield(stored)
            self._confirmed(response)

        task = asyncio.get_running_loop().create_task(confirm())
        self._confirming.add(task)
        task.add_done_callback(self._confirming.discard)

    def _confirm_deadlines(self, ack_ids: Sequence[str], refused: Collection[str]) -> None:
        if not self._subscription.config.enable_exactly_once_delivery:
            return
        response = _Response()
        response.modify_ack_deadline_confirmation.ack_ids.extend(set(ack_ids).difference(refused))
        response.modify_ack_deadline_confirmation.invalid_ack_ids.extend(refused)
        self._confirmed(response)

    def _confirmed(self, response: Any) -> None:
        self._confirmations.append(response.SerializeToString())
        self._wake.set()

    def _properties(self) -> bytes:
        config = self._subscription.config
        response = _Response()
        response.subscription_properties.exactly_once_delivery_enabled = config.enable_exactly_once_delivery
        response.subscription_properties.message_ordering_enabled = config.enable_message_ordering
        return bytes(response.SerializeToString())


def _responses(received: Sequence[bytes]) -> Iterator[bytes]:
    """Join messages into responses that clients with gRPC's default limit of 4 MiB can receive."""
    start = size_bytes = 0
    for end, message in enumerate(received):
        if size_bytes + len(message) > _MAX_RESPONSE_BYTES and end > start:
            yield b"".join(received[start:end])
            start, size_bytes = end, 0
        size_bytes += len(message)
    yield b"".join(received[start:])


async def serve(subscription: Subscription, first: Any, context: Any, faults: Faults) -> None:
    """Serve one call, whose first request was read already.

    Raises:
        RefusedError: the request is wrong, or the subscription went away.
    """
    settings.check_deadline(first.stream_ack_deadline_seconds, minimum=10)
    await Stream(subscription, first, context, faults).serve(first)


def _check_later(request: Any) -> None:
    """Flow control and names are for the first request only."""
    if (
        request.subscription
        or request.client_id
        or request.max_outstanding_messages
        or request.max_outstanding_bytes
        or request.protocol_version
    ):
        raise invalid("Only the first request of a stream names the subscription, the client and the flow control.")
