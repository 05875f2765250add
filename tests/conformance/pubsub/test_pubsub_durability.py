"""What survives kill -9, and what happens to those who were connected."""

import subprocess
import sys
import threading
from collections.abc import Callable

import pytest
from google.api_core import exceptions

from tests.conformance.pubsub.pubsub_server import Listener, PubSubServer, payloads, until

Start = Callable[..., PubSubServer]


def restart(server: PubSubServer) -> None:
    """Kill -9 and start again over the same data, on the same port."""
    server.kill()
    server.start()
    server.answering()


def test_answered_publishes_survive(new_server: Start) -> None:
    """Killed in the middle of publishing, the server still has every message whose id it answered."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic, ack_deadline_seconds=600)
    answered: list[str] = []
    enough = threading.Event()

    def publish() -> None:
        while True:
            try:
                response = server.publisher.api.publish(
                    topic=topic, messages=[{"data": bytes(500)}] * 20, retry=None, timeout=5
                )
            except exceptions.GoogleAPICallError:
                return
            answered.extend(response.message_ids)
            if len(answered) > 2000:
                enough.set()

    publishers = [threading.Thread(target=publish) for _ in range(3)]
    for publisher in publishers:
        publisher.start()
    assert enough.wait(20)
    server.kill()
    for publisher in publishers:
        publisher.join(20)
    server.start()
    server.answering()
    stored: set[str] = set()

    def all_there() -> bool:
        received = server.subscriber.pull(subscription=subscription, max_messages=1000).received_messages
        stored.update(message.message.message_id for message in received)
        return stored.issuperset(answered)

    until(all_there, "every answered message is delivered")


def test_acknowledged_messages_stay_gone(new_server: Start) -> None:
    """An answered acknowledgement holds across kill -9; what was only leased comes back."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic)
    server.publish(topic, *[b"%d" % number for number in range(10)])
    received = server.pull(subscription, 10)
    server.ack(subscription, received[:6])
    restart(server)
    assert payloads(server.pull(subscription, 4)) == payloads(received[6:])
    assert server.empty(subscription)


def test_ack_ids_outlive_the_server(new_server: Start) -> None:
    """A job that went on while the server was restarted can still be acknowledged."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic)
    server.publish(topic, b"a", b"b")
    held = server.pull(subscription, 2)
    restart(server)
    server.ack(subscription, held[:1])
    assert payloads(server.pull(subscription, 1)) == payloads(held[1:])
    assert server.empty(subscription)


@pytest.mark.parametrize("leave", [PubSubServer.kill, PubSubServer.stop], ids=["kill", "stop"])
def test_subscribers_reconnect(new_server: Start, leave: Callable[[PubSubServer], object]) -> None:
    """A client's stream finds the restarted server by itself and goes on, however the old one ended."""
    server = new_server(patient=True)
    topic = server.topic()
    listener = Listener(server, server.subscription(topic))
    server.publish(topic, b"before")
    listener.next().ack()
    leave(server)
    server.start()
    server.answering()
    server.publish(topic, b"after")
    seen: set[bytes] = set()

    def after() -> bool:
        message = listener.next()
        message.ack()
        seen.add(message.data)
        return b"after" in seen

    until(after, "the stream goes on")
    listener.close()


def test_settings_survive(new_server: Start) -> None:
    """Topics, subscriptions, filters, policies and snapshots are there again."""
    server = new_server()
    topic, dead = server.topic(labels={"a": "b"}), server.topic()
    subscription = server.subscription(
        topic, filter='attributes.k = "v"', dead_letter_policy={"dead_letter_topic": dead}, ack_deadline_seconds=33
    )
    snapshot = subscription.replace("/subscriptions/", "/snapshots/")
    server.subscriber.create_snapshot(name=snapshot, subscription=subscription)
    before = (
        server.publisher.get_topic(topic=topic),
        server.subscriber.get_subscription(subscription=subscription),
        server.subscriber.get_snapshot(snapshot=snapshot),
    )
    restart(server)
    assert before == (
        server.publisher.get_topic(topic=topic),
        server.subscriber.get_subscription(subscription=subscription),
        server.subscriber.get_snapshot(snapshot=snapshot),
    )
    server.publish(topic, b"no")
    server.publish(topic, b"yes", k="v")
    assert payloads(server.pull(subscription, 1)) == [b"yes"]


def test_attempts_survive(new_server: Start) -> None:
    """A restart does not give a poison message new attempts."""
    server = new_server()
    topic, dead = server.topic(), server.topic()
    policy = {"dead_letter_topic": dead, "max_delivery_attempts": 5}
    subscription, graveyard = server.subscription(topic, dead_letter_policy=policy), server.subscription(dead)
    server.publish(topic, b"poison")
    for _ in range(4):
        server.nack(subscription, server.pull(subscription, 1))
    server.publish(topic, b"later")  # its commit follows that of the attempts
    restart(server)
    received = {message.message.data: message for message in server.pull(subscription, 2)}
    assert received[b"poison"].delivery_attempt == 5
    server.nack(subscription, [received[b"poison"]])
    assert payloads(server.pull(graveyard, 1)) == [b"poison"]


def test_deleted_stays_deleted(new_server: Start) -> None:
    """A deleted subscription does not come back, and leaves nothing to one of the same name."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic)
    server.publish(topic, *[b"x"] * 50)
    server.subscriber.delete_subscription(subscription=subscription)
    restart(server)
    assert list(server.subscriber.list_subscriptions(project="projects/conformance")) == []
    server.subscriber.create_subscription(name=subscription, topic=topic)
    assert server.empty(subscription)


def test_ids_never_repeat(new_server: Start) -> None:
    """After a restart over an emptied queue new messages have new ids."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic)
    before = server.publish(topic, b"x")
    server.ack(subscription, server.pull(subscription, 1))
    restart(server)
    assert server.publish(topic, b"y") > before


def test_killed_again_and_again(new_server: Start) -> None:
    """However often it is killed, what was published and not acknowledged is there, and nothing else."""
    server = new_server()
    topic = server.topic()
    subscription = server.subscription(topic)
    expected: set[str] = set()
    for _ in range(4):
        expected.update(server.publish(topic, *[b"x"] * 30))
        done = server.pull(subscription, 10)
        server.ack(subscription, done)
        expected.difference_update(message.message.message_id for message in done)
        restart(server)
    rest = server.pull(subscription, len(expected))
    assert {message.message.message_id for message in rest} == expected
    assert server.empty(subscription)


@pytest.mark.parametrize("shared", ["port", "data directory"])
def test_servers_share_nothing(new_server: Start, shared: str) -> None:
    """A second server on the same port or over the same data says so and leaves."""
    server = new_server()
    port, data_dir = (server.port, "other") if shared == "port" else (0, "pubsub")
    command = [sys.executable, "-m", "spotmill", "local", "pubsub", "--port", str(port)]
    command += ["--data-dir", str(server.data_dir.with_name(data_dir))]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert ("taken" if shared == "port" else "another Pub/Sub server") in second.stderr
