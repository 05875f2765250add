"""The child's end of the line to its agent."""

import socket

from worker.child.messages import LINE_BYTES, Said, Told, decode_told, encode


class HungUpError(Exception):
    """The agent closed the line; there is nobody left to work for."""


class Line:
    """One blocking socket; a question is answered before the next is asked."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._reader = self._socket.makefile("rb")

    def say(self, message: Said) -> None:
        """Send one message.

        Raises:
            ValueError: it is not JSON or too long.
        """
        self._socket.sendall(encode(message))

    def hear(self) -> Told:
        """Wait for the agent's next message."""
        line = self._reader.readline(LINE_BYTES + 1)
        if not line.endswith(b"\n"):
            raise HungUpError
        return decode_told(line)

    def ask(self, message: Said) -> Told:
        """Send a question and return the answer."""
        self.say(message)
        return self.hear()
