"""Asks the servers of a running local cloud for faults; also the command ``spotmill local faults``."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import IO, Any

import click
import grpc
import urllib3

from local.faults.page import PATH

#: The variable of ``local.env`` that says where each server is.
SERVERS = {
    "gcs": "STORAGE_EMULATOR_HOST",
    "pubsub": "PUBSUB_EMULATOR_HOST",
    "compute": "SPOTMILL_COMPUTE_ENDPOINT",
    "eventarc": "SPOTMILL_EVENTARC_URL",
    "postgres": "SPOTMILL_CABLE_URL",
}
#: The gRPC service of the server that speaks no HTTP; requests and answers are the same JSON.
GRPC_METHOD = "/spotmill.local.Faults/"
_DEADLINE_SECONDS = 10.0


class FaultsError(Exception):
    """A server did not take the plan, or is not there."""


class FaultControl:
    """The faults of one server. ``place`` is its URL, or ``HOST:PORT`` if it speaks gRPC (Pub/Sub)."""

    def __init__(self, place: str) -> None:
        self.place = place

    @classmethod
    def of(cls, environment: Mapping[str, str], server: str) -> "FaultControl":
        """Find a server by its name (``gcs``, ``pubsub``, ``compute``, ``eventarc``, ``postgres``).

        Raises:
            FaultsError: the environment does not name it.
        """
        place = environment.get(SERVERS[server])
        if not place:
            raise FaultsError(f"{SERVERS[server]} is not set; {server} is not there or has no faults to give")
        return cls(place)

    def put(self, rules: Sequence[Mapping[str, Any]], *, seed: int = 0) -> dict[str, Any]:
        """Follow these rules instead of any earlier ones."""
        return self._ask("PUT", json.dumps({"seed": seed, "rules": list(rules)}).encode())

    def get(self) -> dict[str, Any]:
        """What is followed, and what was injected since the server started."""
        return self._ask("GET", b"")

    def clear(self) -> dict[str, Any]:
        """Be well again."""
        return self._ask("DELETE", b"")

    def injected(self) -> dict[str, int]:
        """How many faults of each kind were injected since the server started."""
        return dict(self.get()["injected"])

    def send(self, method: str, body: bytes) -> dict[str, Any]:
        """Send a plan as it is."""
        return self._ask(method, body)

    def _ask(self, method: str, body: bytes) -> dict[str, Any]:
        status, said = self._http(method, body) if "://" in self.place else self._grpc(method, body)
        answer: dict[str, Any] = json.loads(said)
        if status != 200:
            raise FaultsError(str(answer["error"]["message"]))
        return answer

    def _http(self, method: str, body: bytes) -> tuple[int, bytes]:
        try:
            answer = urllib3.request(
                method, self.place + PATH, body=body or None, timeout=_DEADLINE_SECONDS, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise FaultsError(f"{self.place} does not answer: {error}") from error
        return answer.status, answer.data

    def _grpc(self, method: str, body: bytes) -> tuple[int, bytes]:
        with grpc.insecure_channel(self.place) as channel:
            try:
                return 200, bytes(
                    channel.unary_unary(GRPC_METHOD + method)(body, timeout=_DEADLINE_SECONDS, wait_for_ready=True)
                )
            except grpc.RpcError as error:
                raise FaultsError(f"{self.place}: {error.details()}") from error


@click.command()
@click.argument("server", type=click.Choice(sorted(SERVERS)))
@click.argument("plan", type=click.File("rb"), required=False)
@click.option("--clear", is_flag=True, help="End all faults.")
def command(server: str, plan: IO[bytes] | None, clear: bool) -> None:
    """Make a server of the local cloud fail as the JSON file PLAN (``-``: standard input) says, or show its faults.

    Finds the server by the variables in local.env.
    """
    try:
        control = FaultControl.of(os.environ, server)
        if clear:
            said = control.clear()
        elif plan is not None:
            said = control.send("PUT", plan.read())
        else:
            said = control.get()
    except FaultsError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(said, indent=2))
