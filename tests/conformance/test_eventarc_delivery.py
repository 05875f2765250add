"""The router delivers at least once, with Eventarc's patience, through restarts of everything around it."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from google.pubsub_v1 import PubsubMessage

from eventarc.contract import read_sample
from eventarc.triggers import FINALIZED, PUBLISHED
from local.clients import publisher_of, subscriber_of
from local.faults.control import FaultControl, FaultsError
from local.ports import assign
from tests.cloud import wait_for

PROJECT, REGION = "events", "here1"
TRIGGERS = f"""
- {{name: uploads, description: x, event_type: {FINALIZED}, filters: {{bucket: example-uploads}}, path: /storage}}
- {{name: words, description: x, event_type: {PUBLISHED}, topic: words, path: /words}}
"""


@dataclass
class Received:
    """One request that the destination got."""

    path: str
    headers: dict[str, str]
    body: Any

    @property
    def text(self) -> str:
        return str(self.body["message"]["attributes"]["text"])


@dataclass
class Destination:
    """A service that answers what it is told to, and remembers."""

    port: int
    answer: Callable[[Received], int] = lambda _: 204
    received: list[Received] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def texts(self) -> list[str]:
        return [received.text for received in list(self.received)]

    @contextmanager
    def serving(self) -> Iterator[None]:
        destination = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received = Received(self.path, headers, body)
                with destination.lock:
                    destination.received.append(received)
                    destination.busy += 1
                    destination.busiest = max(destination.busiest, destination.busy)
                status = destination.answer(received)
                with destination.lock:
                    destination.busy -= 1
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


class Scene:
    """A Pub/Sub, a router and a place for a destination, each of which can be killed and started again."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ports = assign(["pubsub", "eventarc", "destination"], {})
        self.pubsub_host = f"127.0.0.1:{self.ports['pubsub']}"
        self.destination = Destination(self.ports["destination"])
        self.servers: dict[str, subprocess.Popen[bytes]] = {}
        (directory / "triggers.yaml").write_text(TRIGGERS)

    def start_pubsub(self) -> None:
        self._start("pubsub", "--port", str(self.ports["pubsub"]), "--data-dir", str(self.directory / "pubsub"))

    def start_router(self, *options: str) -> None:
        options = options or ("--min-backoff", "0.1", "--max-backoff", "0.2")
        self._start(
            "eventarc",
            *("--port", str(self.ports["eventarc"]), "--pubsub-host", self.pubsub_host),
            *("--dispatcher-url", f"http://127.0.0.1:{self.destination.port}"),
            *("--project", PROJECT, "--region", REGION, "--triggers", str(self.directory / "triggers.yaml"), *options),
        )
        wait_for(self.healthy, what="the router pulls")

    def healthy(self) -> bool:
        try:
            with urlopen(f"http://127.0.0.1:{self.ports['eventarc']}/_spotmill/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def publish(self, *texts: str) -> None:
        with publisher_of(self.pubsub_host) as publisher:
            publisher.publish(
                topic=f"projects/{PROJECT}/topics/words",
                messages=[PubsubMessage(data=text.encode(), attributes={"text": text}) for text in texts],
            )

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        server = self.servers.pop(name)
        server.send_signal(number)
        server.wait(10)

    def _start(self, name: str, *options: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", "spotmill", "local", name, *options]
            self.servers[name] = subprocess.Popen(command, stdout=log, stderr=log)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """Pub/Sub and the router run; the destination does not yet listen."""
    scene = Scene(tmp_path)
    try:
        scene.start_pubsub()
        scene.start_router()
        yield scene
    finally:
        for name in list(scene.servers):
            scene.kill(name)


@pytest.fixture
def listening(scene: Scene) -> Iterator[Scene]:
    """The destination listens too."""
    with scene.destination.serving():
        yield scene


def test_a_published_message_is_posted(listening: Scene) -> None:
    """A message of a trigger's topic reaches the trigger's path as a CloudEvent."""
    listening.publish("hello")
    wait_for(lambda: listening.destination.received)
    got = listening.destination.received[0]
    assert got.path == "/words"
    assert got.headers["ce-type"] == PUBLISHED
    assert got.headers["ce-source"] == f"//pubsub.googleapis.com/projects/{PROJECT}/topics/words"
    assert got.headers["ce-id"] == got.body["message"]["messageId"]
    assert got.body["subscription"] == f"projects/{PROJECT}/subscriptions/eventarc-{REGION}-words-sub"


def test_a_notification_of_storage_is_posted(listening: Scene) -> None:
    """What Cloud Storage says on the transport topic arrives as the event of an object."""
    sample = read_sample("storage-finalized")
    message = PubsubMessage(
        data=json.dumps(sample.body).encode(),
        attributes={
            "bucketId": "example-uploads",
            "eventType": "OBJECT_FINALIZE",
            "eventTime": sample.headers["ce-time"],
            "objectId": sample.body["name"],
        },
    )
    with publisher_of(listening.pubsub_host) as publisher:
        publisher.publish(topic=f"projects/{PROJECT}/topics/eventarc-{REGION}-uploads", messages=[message])
    wait_for(lambda: listening.destination.received)
    got = listening.destination.received[0]
    assert got.path == "/storage"
    assert got.body == sample.body
    assert sample.headers.items() - {"ce-id": sample.headers["ce-id"]}.items() <= got.headers.items()


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_a_refused_event_comes_again_until_it_is_accepted(listening: Scene, status: int) -> None:
    """Any answer but an acknowledgement means another delivery of the same event."""
    destination = listening.destination
    destination.answer = lambda _: status if len(destination.received) < 4 else 200
    listening.publish("again")
    wait_for(lambda: len(destination.received) >= 4)
    assert {received.headers["ce-id"] for received in destination.received} == {
        destination.received[0].headers["ce-id"]
    }


def test_events_wait_for_a_destination_that_is_away(scene: Scene) -> None:
    """Events that nobody listened to are delivered when somebody does."""
    scene.publish("one", "two")
    wait_for(lambda: b"unreachable" in (scene.directory / "eventarc.log").read_bytes())
    with scene.destination.serving():
        wait_for(lambda: set(scene.destination.texts()) == {"one", "two"})


def test_no_more_are_posted_at_once_than_allowed(scene: Scene) -> None:
    """A slow destination is never given more than the agreed number of events at a time."""
    scene.kill("eventarc", signal.SIGTERM)
    scene.start_router("--concurrency", "3")
    go_on = threading.Event()
    scene.destination.answer = lambda _: 200 if go_on.wait(20) else 500
    texts = [f"m{number}" for number in range(20)]
    with scene.destination.serving(), ExitStack() as released:
        released.callback(go_on.set)
        scene.publish(*texts)
        wait_for(lambda: scene.destination.busy == 3)
        go_on.set()
        wait_for(lambda: set(scene.destination.texts()) == set(texts))
    assert scene.destination.busiest == 3


def test_an_event_in_flight_survives_the_router(listening: Scene) -> None:
    """An event whose answer the router never heard is delivered again after a kill -9."""
    stuck, go_on = threading.Event(), threading.Event()

    def answer(_: Received) -> int:
        stuck.set()
        return 200 if go_on.wait(20) else 500

    listening.destination.answer = answer
    listening.publish("precious")
    assert stuck.wait(20)
    listening.kill("eventarc")
    go_on.set()
    listening.start_router()
    wait_for(lambda: listening.destination.texts().count("precious") >= 2, timeout=90, what="a second delivery")


def test_events_go_on_after_pubsub_was_killed(listening: Scene) -> None:
    """The router finds a restarted Pub/Sub by itself."""
    listening.publish("before")
    wait_for(lambda: listening.destination.texts() == ["before"])
    listening.kill("pubsub")
    listening.start_pubsub()
    listening.publish("after")
    wait_for(lambda: "after" in listening.destination.texts())


def test_the_router_waits_for_pubsub(tmp_path: Path) -> None:
    """The order of starting does not matter: the router becomes healthy once Pub/Sub is there."""
    scene = Scene(tmp_path)
    starting = threading.Thread(target=scene.start_router)
    try:
        starting.start()
        wait_for(lambda: (tmp_path / "eventarc.log").exists() and not scene.healthy())
        scene.start_pubsub()
        wait_for(scene.healthy)
    finally:
        starting.join()
        for name in list(scene.servers):
            scene.kill(name)


def test_a_subscription_is_eventarcs_own(scene: Scene) -> None:
    """Without other orders, retries back off from 10 s to 600 s and end after a day."""
    scene.kill("eventarc", signal.SIGTERM)
    scene.start_router("--concurrency", "1")
    with subscriber_of(scene.pubsub_host) as subscriber:
        name = f"projects/{PROJECT}/subscriptions/eventarc-{REGION}-words-sub"
        found = subscriber.get_subscription(subscription=name)
    assert found.retry_policy.minimum_backoff.total_seconds() == 10
    assert found.retry_policy.maximum_backoff.total_seconds() == 600
    assert found.message_retention_duration.total_seconds() == 24 * 3600


def test_events_are_doubled_delayed_and_dropped_on_request(listening: Scene) -> None:
    """A doubled event is posted twice, one whose answer is lost comes again, a dropped one never comes."""
    faults = FaultControl(f"http://127.0.0.1:{listening.ports['eventarc']}")

    came = listening.destination.texts

    def met(fault: str, text: str, times: int) -> bool:
        return fault in faults.injected() and came().count(text) == times

    # One after the other to its end: what comes again meets whatever is injected then.
    for text, fault, times in (("0", "duplicate", 2), ("1", "lose_answer", 2), ("2", "reorder", 1), ("3", "drop", 0)):
        faults.put([{"fault": fault, "count": 1, "match": "^words", "delay_seconds": 0.05}])
        listening.publish(text)
        wait_for(partial(met, fault, text, times), 60, f"{fault}: posted {times} times")
    faults.clear()
    listening.publish("last")
    wait_for(lambda: "last" in came(), 60, "what is sent after the faults is posted")
    assert sorted(came()) == ["0", "0", "1", "1", "2", "last"]
    with pytest.raises(FaultsError, match="there is no fault 'error' here"):
        faults.put([{"fault": "error"}])
