"""What agent and child say to each other, and that it arrives as it was said."""

import socket

import pytest

from worker.child.line import HungUpError, Line
from worker.child.messages import (
    LINE_BYTES,
    Answered,
    Done,
    Failed,
    Fetch,
    Fetched,
    Limits,
    Loaded,
    Progress,
    Publish,
    Recall,
    Recalled,
    Refused,
    Run,
    Said,
    Stop,
    Stopped,
    Store,
    Stored,
    Told,
    decode_told,
    encode,
)


@pytest.mark.parametrize(
    "message",
    [
        Run("p", "b", "n", 1, 2, "t", {"a": [1]}, "/w"),
        Fetched("/p"),
        Recalled(),
        Stored("/p", "file"),
        Loaded("/m", "id"),
        Answered("/a"),
        Refused("no"),
        Stop(),
    ],
)
def test_messages_survive_the_line(message: Told) -> None:
    """What the agent says is what the child hears."""
    assert decode_told(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Done({"text": "x" * LINE_BYTES}),
        Done({"number": float("nan")}),
        Publish("k", "f", "t", "n", {"x": float("inf")}),
    ],
)
def test_messages_that_do_not_fit(message: Done | Publish) -> None:
    """What is too long or not JSON is refused by the sender."""
    with pytest.raises(ValueError, match=r"too long|JSON compliant"):
        encode(message)


def test_agent_hangs_up() -> None:
    """A child whose agent is gone stops at its next question."""
    ours, theirs = socket.socketpair()
    ours.close()
    line = Line(theirs.detach())
    with pytest.raises((HungUpError, ConnectionError)):
        line.ask(Fetch())
    line._reader.close()
    line._socket.close()


def test_limits_travel() -> None:
    """The child gets the limits that the agent chose."""
    limits = Limits(1, 2, 3, 4, uid=5, gid=6, groups=[7])
    assert Limits.decode(limits.encode()) == limits


def test_kinds_of_messages() -> None:
    """The agent can tell all messages of a child apart."""
    kinds: list[Said] = [
        Fetch(),
        Recall("k"),
        Store("k", "json", "f", "", 1),
        Progress(0, ""),
        Failed("", False, ""),
        Stopped(),
    ]
    assert len({message.type for message in kinds}) == len(kinds)
