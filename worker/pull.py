"""The worker's end of the jobs subscription: pull, and the two ways to answer.

Unary pull: a streaming pull would take messages that other VMs have room for.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

import grpc
from google.cloud.pubsub_v1 import SubscriberClient
from google.pubsub_v1.types import AcknowledgeRequest, ModifyAckDeadlineRequest, PullRequest, PullResponse

#: Seconds that one pull may wait for messages. Long: one that is sent while we give up is lost until its deadline.
PULL_SECONDS = 90
#: Seconds that any other call may take.
CALL_SECONDS = 5
#: Most ack ids in one request; the API takes 512 KiB, an id has up to about 200 bytes.
ACK_BATCH = 1000


@dataclass(frozen=True, slots=True)
class Pulled:
    """One message as it came."""

    ack_id: str
    message_id: str
    data: bytes


class PubSubError(Exception):
    """Pub/Sub did not do what it was asked; try again later."""


class Subscription:
    """The jobs subscription. All methods may be called from any thread.

    The calls go to the stubs below the generated methods: those cannot be called off, and cost a tiny job more than all
    else that is done for it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._stubs = SubscriberClient().transport
        self._routing = [("x-goog-request-params", f"subscription={quote(path, safe='')}")]
        self._pending: grpc.Future | None = None
        self._closed = False
        self._lock = threading.Lock()

    def pull(self, most: int) -> list[Pulled]:
        """Wait for up to ``most`` messages; none may have come.

        Raises:
            PubSubError: the service did not answer.
        """
        request = PullRequest(subscription=self.path, max_messages=most)
        with self._lock:
            if self._closed:
                return []
            self._pending = pending = self._stubs.pull.future(request, timeout=PULL_SECONDS, metadata=self._routing)
        try:
            response = PullResponse.pb(pending.result())
        except grpc.FutureCancelledError:
            return []
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED):
                return []
            raise _explained(error) from error
        return [Pulled(m.ack_id, m.message.message_id, m.message.data) for m in response.received_messages]

    def acknowledge(self, ack_ids: Sequence[str]) -> None:
        """Say that messages are dealt with.

        Raises:
            PubSubError: Pub/Sub did not take it.
        """
        for batch in _batches(ack_ids):
            request = AcknowledgeRequest(subscription=self.path, ack_ids=batch)
            self._call(self._stubs.acknowledge, request)

    def set_deadline(self, ack_ids: Sequence[str], seconds: int) -> None:
        """Have Pub/Sub deliver messages again in so many seconds; 0 is now, to whoever pulls.

        Raises:
            PubSubError: Pub/Sub did not take it.
        """
        for batch in _batches(ack_ids):
            request = ModifyAckDeadlineRequest(subscription=self.path, ack_ids=batch, ack_deadline_seconds=seconds)
            self._call(self._stubs.modify_ack_deadline, request)

    def close(self) -> None:
        """Pull no more; a pull that waits returns now."""
        with self._lock:
            self._closed = True
            if self._pending is not None:
                self._pending.cancel()

    def _call(self, stub: Callable[..., object], request: object) -> None:
        try:
            stub(request, timeout=CALL_SECONDS, metadata=self._routing)
        except grpc.RpcError as error:
            raise _explained(error) from error


def _batches(ack_ids: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(ack_ids), ACK_BATCH):
        yield list(ack_ids[start : start + ACK_BATCH])


def _explained(error: grpc.RpcError) -> PubSubError:
    return PubSubError(f"Pub/Sub: {error.code().name}: {error.details()}")
