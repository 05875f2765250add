"""The local Pub/Sub server under the real Python client: throughput, latency, memory with a long backlog."""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import psutil
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.cloud.pubsub_v1.types import BatchSettings, FlowControl
from google.pubsub_v1.types import PublishRequest

from bench.progress import say

TOPIC = "projects/bench/topics/bench"
SUBSCRIPTION = "projects/bench/subscriptions/bench"
MESSAGE_BYTES = 1024
#: One message may be this late before the benchmark gives up.
PATIENCE_SECONDS = 120.0


def run(quick: bool) -> list[dict[str, Any]]:
    """Return rows of throughput with one and two publishers, streaming pull with acks, idle latency, and memory."""
    messages = 20_000 if quick else 100_000
    rows: list[dict[str, Any]] = []
    for publishers in (1, 2):
        say(f"pubsub: {messages:,} messages by {publishers} process(es)")
        with _server() as server:
            published = _publish(server, publishers, messages)
            rows.append(_row(f"publish 1 KB, {publishers} process(es)", published, "messages/s", ">= 10,000"))
            if publishers == 1:
                streamed = _stream(server, messages)
                rows.append(_row("streaming pull and ack of 1 KB", streamed, "messages/s", ">= 10,000"))
    with _server() as server:
        for name, latencies in _latencies(server, 100 if quick else 500).items():
            cuts = statistics.quantiles(latencies, n=20)
            rows.append(_row(f"idle latency, {name}, p50", cuts[9], "ms", "<= 10"))
            rows.append(_row(f"idle latency, {name}, p95", cuts[18], "ms"))
    say("pubsub: a long backlog")
    rows += _long_backlog(100_000 if quick else 1_000_000)
    return rows


class _Server:
    """A server process over one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "spotmill", "local", "pubsub", "--port", "0", "--data-dir", str(self.data_dir)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[-1]
        os.environ["PUBSUB_EMULATOR_HOST"] = self.address

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()

    @property
    def megabytes(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss) / (1 << 20)


@contextmanager
def _server() -> Iterator[_Server]:
    before = os.environ.get("PUBSUB_EMULATOR_HOST")
    with tempfile.TemporaryDirectory() as folder:
        server = _Server(Path(folder))
        try:
            PublisherClient().create_topic(name=TOPIC)
            SubscriberClient().create_subscription(name=SUBSCRIPTION, topic=TOPIC)
            yield server
        finally:
            server.stop()
            os.environ.pop("PUBSUB_EMULATOR_HOST")
            if before is not None:
                os.environ["PUBSUB_EMULATOR_HOST"] = before


def _publish(server: _Server, publishers: int, messages: int) -> float:
    """Messages per second of several processes that publish as fast as the client batches."""
    spawn = multiprocessing.get_context("spawn")
    start, end = spawn.Barrier(publishers + 1), spawn.Barrier(publishers + 1)
    arguments = (server.address, messages // publishers, start, end)
    processes = [spawn.Process(target=_publisher, args=arguments) for _ in range(publishers)]
    for process in processes:
        process.start()
    start.wait(PATIENCE_SECONDS)
    began = time.perf_counter()
    end.wait(PATIENCE_SECONDS)
    seconds = time.perf_counter() - began
    for process in processes:
        process.join()
    return messages / seconds


def _publisher(address: str, messages: int, start: Any, end: Any) -> None:
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    client = PublisherClient(BatchSettings(max_messages=1000, max_bytes=1_000_000, max_latency=0.01))
    data = os.urandom(MESSAGE_BYTES)
    client.publish(TOPIC, data).result()
    start.wait(PATIENCE_SECONDS)
    for future in [client.publish(TOPIC, data) for _ in range(messages)]:
        future.result(PATIENCE_SECONDS)
    end.wait(PATIENCE_SECONDS)


def _stream(server: _Server, messages: int) -> float:
    """Messages per second of one subscriber that acknowledges everything it finds waiting, and all of it was there."""
    subscriber = SubscriberClient()
    assert server.process.poll() is None
    remaining = messages
    done = threading.Event()

    def received(message: Any) -> None:
        nonlocal remaining
        message.ack()
        remaining -= 1
        if remaining == 0:
            done.set()

    began = time.perf_counter()
    future = subscriber.subscribe(SUBSCRIPTION, received, flow_control=FlowControl(max_messages=5000))
    if not done.wait(PATIENCE_SECONDS):
        raise RuntimeError(f"{remaining} of {messages} messages did not arrive")
    seconds = time.perf_counter() - began
    future.cancel()
    future.result()
    return messages / seconds


def _latencies(server: _Server, rounds: int) -> dict[str, list[float]]:
    """Milliseconds from before a publish to the receipt, one message at a time, with a subscriber that waits."""
    assert server.process.poll() is None
    publisher, subscriber = PublisherClient().api, SubscriberClient()
    arrived: list[float] = []
    here = threading.Event()

    def streamed(message: Any) -> None:
        arrived.append(time.perf_counter())
        message.ack()
        here.set()

    def pulled() -> None:
        for _ in range(rounds):
            received = subscriber.pull(subscription=SUBSCRIPTION, max_messages=10).received_messages
            arrived.append(time.perf_counter())
            here.set()
            subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[message.ack_id for message in received])

    def measured() -> list[float]:
        milliseconds = []
        for _ in range(rounds):
            time.sleep(0.02)  # idle: nothing is under way, and the puller waits again
            here.clear()
            began = time.perf_counter()
            publisher.publish(topic=TOPIC, messages=[{"data": bytes(MESSAGE_BYTES)}])
            if not here.wait(PATIENCE_SECONDS):
                raise RuntimeError("a message did not arrive")
            milliseconds.append((arrived[-1] - began) * 1000)
        return milliseconds

    future = subscriber.subscribe(SUBSCRIPTION, streamed)
    streaming = measured()
    future.cancel()
    future.result()
    puller = threading.Thread(target=pulled)
    puller.start()
    pulling = measured()
    puller.join()
    return {"streaming pull": streaming, "unary pull": pulling}


def _long_backlog(messages: int) -> list[dict[str, Any]]:
    """Memory of the server that holds a backlog of small messages, after filling it and after a restart."""
    with _server() as server:
        batch = 1000
        request = PublishRequest.serialize(
            PublishRequest(topic=TOPIC, messages=[{"data": os.urandom(64), "attributes": {"k": "v"}}] * batch)
        )
        with grpc.insecure_channel(server.address) as channel:
            publish = channel.unary_unary("/google.pubsub.v1.Publisher/Publish")
            in_flight: list[Any] = []
            for _ in range(messages // batch):
                in_flight.append(publish.future(request))
                if len(in_flight) == 8:
                    in_flight.pop(0).result()
            for call in in_flight:
                call.result()
        filled = server.megabytes
        server.stop()
        began = time.perf_counter()
        server.start()
        started = time.perf_counter() - began
        received = SubscriberClient().pull(subscription=SUBSCRIPTION, max_messages=1000).received_messages
        assert received
        restarted = server.megabytes
    return [
        _row(f"memory of the server with {messages:,} small messages waiting", filled, "MB"),
        _row(f"memory after a restart over {messages:,} messages", restarted, "MB"),
        _row(f"restart over {messages:,} messages", started, "s"),
    ]


def _row(name: str, value: float, unit: str, target: str | None = None) -> dict[str, Any]:
    return {"group": "pubsub", "name": name, "value": round(value, 2), "unit": unit, "target": target}
