"""A connection to Postgres that is reset between a question and its answer."""

import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, make_url, text
from sqlalchemy.exc import InterfaceError

from shared.database import open_engine
from shared.settings import Settings


class Relay:
    """Hands bytes on between clients and Postgres, and resets the clients' connections when it is told to."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cut = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset the next connection that asks something, once."""
        self._cut.set()

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            threading.Thread(target=self._ask, args=(client, server), daemon=True).start()
            threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        while asked := client.recv(65536):
            if self._cut.is_set():
                self._cut.clear()
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close() sends RST
                client.close()
                break
            server.sendall(asked)
        server.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _answer(server: socket.socket, client: socket.socket) -> None:
        try:
            while answer := server.recv(65536):
                client.sendall(answer)
        except OSError:
            return  # the client is gone; so is the one who waits for this answer


@pytest.fixture
def relay(database_url: str) -> Iterator[Relay]:
    """A relay before the database of this test."""
    url = make_url(database_url)
    relay = Relay((url.host or "", url.port or 0))
    yield relay
    relay.close()


@pytest.fixture
def relayed(relay: Relay, database_url: str) -> Iterator[Engine]:
    """The product's engine, whose connections go through the relay."""
    url = make_url(database_url).set(host="127.0.0.1", port=relay.port)
    settings = Settings(
        project="spotmill-test",
        upload_bucket="uploads",
        result_bucket="results",
        database_url=url.render_as_string(hide_password=False),
    )
    engine = open_engine(settings)
    yield engine
    engine.dispose()


def test_a_connection_lost_in_the_pool_is_replaced_unseen(relay: Relay, relayed: Engine) -> None:
    """Whoever takes a connection that was reset meanwhile gets a new one."""
    with relayed.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    relay.cut()
    with relayed.connect() as connection:
        assert connection.scalar(text("SELECT 2")) == 2


def test_a_connection_lost_under_a_statement_is_named_so(relay: Relay, relayed: Engine) -> None:
    """A reset while a statement waits for its answer is a lost connection, and the next one is another."""
    with relayed.connect() as connection:
        connection.execute(text("SELECT 1"))
        relay.cut()
        with pytest.raises(InterfaceError) as caught:
            connection.execute(text("SELECT 2"))
    assert caught.value.connection_invalidated
    with relayed.connect() as connection:
        assert connection.scalar(text("SELECT 3")) == 3


def test_a_connection_lost_under_a_commit_is_named_so(relay: Relay, relayed: Engine) -> None:
    """A reset while a commit waits for its answer is a lost connection too: nobody knows what became of it."""
    with relayed.connect() as connection:
        connection.execute(text("SELECT 1"))
        relay.cut()
        with pytest.raises(InterfaceError) as caught:
            connection.commit()
    assert caught.value.connection_invalidated
