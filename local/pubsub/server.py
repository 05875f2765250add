"""``spotmill local pubsub``: the server as its own process."""

import asyncio
import contextlib
import logging
import signal
from pathlib import Path

import click
import grpc

from local.pubsub import statements
from local.pubsub.broker import Broker
from local.pubsub.catalogue import Catalogue
from local.pubsub.clock import Clock
from local.pubsub.journal import Journal
from local.pubsub.loading import load
from local.pubsub.publisher import Publisher
from local.pubsub.subscriber import Subscriber

#: Above the 10 MB that a publish request may have, so that one byte more gets a sentence instead of a broken call.
_MAX_REQUEST_BYTES = 32 << 20

_OPTIONS = [
    ("grpc.max_receive_message_length", _MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
    # The clients' keepalive pings are legitimate on an idle stream; without this they are called a flood.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
]


@click.command("pubsub")
@click.option("--port", default=8085, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option("--data-dir", type=click.Path(path_type=Path), required=True, help="Where messages are kept.")
@click.option(
    "--pull-wait-seconds", default=90.0, show_default=True, help="How long a pull waits for the first message."
)
def command(port: int, data_dir: Path, pull_wait_seconds: float) -> None:
    """Serve Pub/Sub to any client that has PUBSUB_EMULATOR_HOST set."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    data_dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(port, data_dir / "pubsub.sqlite", pull_wait_seconds))


async def serve(port: int, path: Path, pull_wait_seconds: float) -> None:
    """Serve until SIGTERM or SIGINT."""
    writer = statements.connect(path)
    writer.executescript(statements.SCHEMA)
    reader = statements.connect(path)
    journal = Journal(writer)
    broker = Broker(Clock(), journal, reader)
    load(broker, reader)
    catalogue = Catalogue(broker)
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers(
        (Publisher(broker, catalogue).handler(), Subscriber(broker, catalogue, pull_wait_seconds).handler())
    )
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, stopping.set)
    await server.start()
    print(f"Pub/Sub listens on 127.0.0.1:{bound}", flush=True)  # noqa: T201 - whoever started us reads this line
    with contextlib.suppress(asyncio.CancelledError):
        await stopping.wait()
    await server.stop(grace=0)
    await catalogue.close()
    await journal.close()
    reader.close()
    writer.close()
