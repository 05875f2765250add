"""``spotmill local pubsub``: the server as its own process."""

import asyncio
import logging
import signal
from pathlib import Path

import click
import grpc

from local.pubsub import statements
from local.pubsub.broker import Broker
from local.pubsub.catalogue import Catalogue
from local.pubsub.clock import Clock
from local.pubsub.faults import FaultService
from local.pubsub.journal import Journal
from local.pubsub.loading import load
from local.pubsub.ownership import DirectoryTakenError, own
from local.pubsub.publisher import Publisher
from local.pubsub.refusal import RefusedError
from local.pubsub.retention import Retention
from local.pubsub.snapshots import Snapshots
from local.pubsub.subscriber import Subscriber
from local.pubsub.timetravel import TimeTravel

#: Above the 10 MB that a publish request may have, so that one byte more gets a sentence instead of a broken call.
_MAX_REQUEST_BYTES = 32 << 20

#: What open calls get to end after a signal.
_GRACE_SECONDS = 2.0

_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", -1),
    # A second server on the same port must fail, not share its calls.
    ("grpc.so_reuseport", 0),
    # Clients ping idle streams; without these two the pings count as a flood.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
]


class PortTakenError(Exception):
    """The server cannot listen where it was told to."""


@click.command("pubsub")
@click.option("--port", default=8085, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path, file_okay=False), required=True, help="Where messages are kept."
)
@click.option(
    "--pull-wait-seconds", default=90.0, show_default=True, help="How long a pull waits for the first message."
)
@click.option("--test-clock", is_flag=True, help="Serve spotmill.local.Clock/Advance, which moves the time forward.")
def command(port: int, data_dir: Path, pull_wait_seconds: float, test_clock: bool) -> None:
    """Serve Pub/Sub to every client that has PUBSUB_EMULATOR_HOST set."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        own(data_dir)
        asyncio.run(serve(port, data_dir / "pubsub.sqlite", pull_wait_seconds, test_clock=test_clock))
    except (DirectoryTakenError, PortTakenError) as error:
        raise click.ClickException(str(error)) from error


async def serve(port: int, path: Path, pull_wait_seconds: float, *, test_clock: bool = False) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        PortTakenError: something else listens there.
    """
    server = grpc.aio.server(options=_OPTIONS)
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError as error:
        raise PortTakenError(f"port {port} of 127.0.0.1 is taken") from error
    stopping = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopping.set)
    writer = statements.connect(path)
    writer.executescript(statements.SCHEMA)
    reader = statements.connect(path)
    journal = Journal(writer)
    broker = Broker(Clock(), journal, reader)
    catalogue = Catalogue(broker)
    snapshots = Snapshots(broker, catalogue)
    retention = Retention(broker, catalogue, snapshots)
    for orphan in load(broker, reader):
        catalogue.purge_later(orphan)
    handlers = [
        Publisher(broker, catalogue).handler(),
        Subscriber(broker, catalogue, snapshots, pull_wait_seconds).handler(),
        FaultService(broker.faults).handler(),
    ]
    if test_clock:
        handlers.append(TimeTravel(broker, retention).handler())
    server.add_generic_rpc_handlers(handlers)
    await server.start()
    sweeping = asyncio.create_task(retention.run())
    print(f"Pub/Sub listens on 127.0.0.1:{bound}", flush=True)  # noqa: T201 - whoever started us reads this line
    await stopping.wait()
    sweeping.cancel()
    await _stop(server, broker)
    await catalogue.close()
    await journal.close()
    reader.close()
    writer.close()


async def _stop(server: grpc.aio.Server, broker: Broker) -> None:
    """Refuse new calls, then end the open ones in the way that makes clients come back to the next server."""
    stopped = asyncio.create_task(server.stop(_GRACE_SECONDS))
    await asyncio.sleep(0)
    for subscription in broker.subscriptions.values():
        subscription.end_takers(RefusedError(grpc.StatusCode.UNAVAILABLE, "The server is going away."))
    await stopped
