"""A local Pub/Sub server under test: started, killed and started again, with the real clients pointed at it."""

import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import grpc
from google.cloud import pubsub_v1
from google.cloud.pubsub_v1.types import BatchSettings, FlowControl, PublisherOptions
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport

from local.clients import subscriber_of

PROJECT = "projects/conformance"
WAIT_SECONDS = 20.0

_RECONNECT = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
]

T = TypeVar("T")


def until(look: Callable[[], T], what: str) -> T:
    """What ``look`` returns as soon as that is true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)
    return found


class PubSubServer:
    """One data directory, and the server that runs over it on one port.

    ``patient`` clients are those that users get by PUBSUB_EMULATOR_HOST; they wait for seconds before they look for a
    restarted server again. The others look ten times a second.
    """

    def __init__(self, data_dir: Path, *options: str, patient: bool = False) -> None:
        self.data_dir = data_dir
        self.options = options
        self.port = 0
        self.start()
        self.channel = grpc.insecure_channel(self.address, _RECONNECT)
        ordering, batching = PublisherOptions(enable_message_ordering=True), BatchSettings(max_latency=0.005)
        if patient:
            # The clients read the variable when they are made.
            with mock.patch.dict(os.environ, {"PUBSUB_EMULATOR_HOST": self.address}):
                self.publisher = pubsub_v1.PublisherClient(batching, ordering)
                self.subscriber = pubsub_v1.SubscriberClient()
        else:
            publishing = PublisherGrpcTransport(channel=grpc.insecure_channel(self.address, _RECONNECT))
            self.publisher = pubsub_v1.PublisherClient(batching, ordering, transport=publishing)
            self.subscriber = subscriber_of(self.address)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "spotmill", "local", "pubsub"]
        command += ["--port", str(self.port), "--data-dir", str(self.data_dir), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Pub/Sub listens on 127.0.0.1:"), line
        self.port = int(line.rpartition(":")[2])

    def kill(self) -> None:
        """A power cut for the process: SIGKILL, nothing more."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS)

    def close(self) -> None:
        self.subscriber.close()
        self.publisher.stop()
        self.channel.close()
        if self.process.poll() is None:
            self.stop()

    def answering(self) -> None:
        """Wait until the clients have found the server again after a restart."""
        grpc.channel_ready_future(self.channel).result(WAIT_SECONDS)
        for client in (self.publisher, self.subscriber):
            grpc.channel_ready_future(client.transport.grpc_channel).result(WAIT_SECONDS)

    def advance(self, seconds: float) -> None:
        """Move the server's clock forward (needs ``--test-clock``)."""
        call = self.channel.unary_unary(
            "/spotmill.local.Clock/Advance",
            request_serializer=Duration.SerializeToString,
            response_deserializer=Timestamp.FromString,
        )
        call(Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9)), timeout=WAIT_SECONDS)

    def topic(self, **settings: Any) -> str:
        """Create a topic with a name of its own."""
        name = f"{PROJECT}/topics/t-{uuid.uuid4().hex}"
        self.publisher.create_topic(request={"name": name, **settings})
        return name

    def subscription(self, topic: str, **settings: Any) -> str:
        """Create a subscription with a name of its own."""
        name = f"{PROJECT}/subscriptions/s-{uuid.uuid4().hex}"
        self.subscriber.create_subscription(request={"name": name, "topic": topic, **settings})
        return name

    def publish(self, topic: str, *payloads: bytes, ordering_key: str = "", **attributes: str) -> list[str]:
        """Publish and wait for the ids."""
        futures = [self.publisher.publish(topic, payload, ordering_key, **attributes) for payload in payloads]
        return [future.result(WAIT_SECONDS) for future in futures]

    def pull(self, subscription: str, count: int) -> list[Any]:
        """Pull until there are so many messages."""
        got: list[Any] = []

        def enough() -> bool:
            request = {"subscription": subscription, "max_messages": count - len(got)}
            got.extend(self.subscriber.pull(request=request, timeout=WAIT_SECONDS).received_messages)
            return len(got) >= count

        until(enough, f"{count} messages of {subscription}")
        return got

    def empty(self, subscription: str) -> bool:
        """Whether a pull finds nothing at once."""
        request = {"subscription": subscription, "max_messages": 10, "return_immediately": True}
        return not self.subscriber.pull(request=request, timeout=WAIT_SECONDS).received_messages

    def ack(self, subscription: str, received: Iterable[Any]) -> None:
        self.subscriber.acknowledge(subscription=subscription, ack_ids=[message.ack_id for message in received])

    def deadline(self, subscription: str, received: Iterable[Any], seconds: int) -> None:
        self.subscriber.modify_ack_deadline(
            subscription=subscription,
            ack_ids=[message.ack_id for message in received],
            ack_deadline_seconds=seconds,
        )

    def nack(self, subscription: str, received: Iterable[Any]) -> None:
        self.deadline(subscription, received, 0)


class Listener:
    """``SubscriberClient.subscribe`` with a callback that only notes what came; the test settles it."""

    def __init__(self, server: PubSubServer, subscription: str, max_messages: int = 1000) -> None:
        self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.future = server.subscriber.subscribe(
            subscription, self.messages.put, flow_control=FlowControl(max_messages=max_messages)
        )

    def next(self) -> Any:
        return self.messages.get(timeout=WAIT_SECONDS)

    def close(self) -> None:
        self.future.cancel()
        self.future.result(WAIT_SECONDS)


class RawStream:
    """A streaming pull without the client's lease management, for what that would hide."""

    def __init__(self, server: PubSubServer, subscription: str, **first: Any) -> None:
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.send(subscription=subscription, **{"stream_ack_deadline_seconds": 10, **first})
        self._call = server.subscriber.transport.streaming_pull(iter(self._requests.get, None))
        self.received: list[Any] = []
        self.responses: list[Any] = []
        self.error: grpc.RpcError | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        until(lambda: self.responses or self.error, "the stream opens")

    def send(self, **fields: Any) -> None:
        self._requests.put(pubsub_v1.types.StreamingPullRequest(**fields))

    def half_close(self) -> grpc.StatusCode:
        """Say that no more requests come; returns how the server ends the stream."""
        self._requests.put(None)
        return self.ended()

    def ended(self) -> grpc.StatusCode:
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()
        code = self._call.code()
        assert isinstance(code, grpc.StatusCode)
        return code

    def wait(self, count: int) -> Sequence[Any]:
        until(lambda: len(self.received) >= count, f"{count} messages on the stream, not {len(self.received)}")
        return self.received

    def close(self) -> None:
        self._requests.put(None)
        self._call.cancel()
        self._thread.join(WAIT_SECONDS)

    def _read(self) -> None:
        try:
            for response in self._call:
                self.responses.append(response)
                self.received.extend(response.received_messages)
        except grpc.RpcError as error:
            self.error = error


def payloads(received: Iterable[Any]) -> list[bytes]:
    """The data of received messages, sorted."""
    return sorted(message.message.data for message in received)
