"""``spotmill local gcs``: the HTTP server around the handlers."""

import asyncio
import logging
import re
import signal
import socket
from pathlib import Path

import click
from aiohttp import web

from local.gcs import lifecycle
from local.gcs.batch import batch
from local.gcs.call import Call
from local.gcs.cors import cors_headers
from local.gcs.errors import StorageError
from local.gcs.faults import troubled
from local.gcs.routes import CONTROL_PATHS, route, speaks_json
from local.gcs.storage import Storage

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
#: How much of a request's body may wait in memory before the socket is no longer read.
READ_BUFFER_BYTES = 128 * 1024
#: The kernel's part of the same: fewer, larger reads are worth 8 % of upload speed.
SOCKET_BUFFER_BYTES = 1024 * 1024
#: Requests under way get this long to finish when the server is told to stop.
SHUTDOWN_SECONDS = 0.5
#: Clients may ask as they would ask a proxy: RFC 9112, section 3.2.2.
_ORIGIN = re.compile(r"^https?://[^/?]*")
_BATCH = re.compile(r"/batch(?:/storage/v1)?/?")


class Server:
    """Answers requests on one data directory."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._faults = storage.faults

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        path, _, query = _ORIGIN.sub("", request.raw_path).partition("?")
        call = Call(self._storage, request.method, path, query, request.headers, request)
        if self._faults.active and not path.startswith(CONTROL_PATHS):
            return await troubled(self._faults, call, self._answer_all)
        return await self._answer_all(call)

    async def _answer_all(self, call: Call) -> web.StreamResponse:
        if not _BATCH.fullmatch(call.path) or call.method != "POST":
            return await self.answer(call)
        try:
            call.check_refusal()
            return await batch(call, self.answer)
        except StorageError as error:
            return error.as_json()

    async def answer(self, call: Call) -> web.StreamResponse:
        """Route one call and give its answer, or its refusal, the headers a browser needs."""
        response = await self._answer(call)
        response.headers.update(cors_headers(call))
        return response

    async def _answer(self, call: Call) -> web.StreamResponse:
        try:
            handler = route(call)
            call.check_refusal()
            try:
                return await handler(call)
            except FileNotFoundError:
                return await handler(call)  # deleted between finding and opening: now it says so, or finds a newer one
        except StorageError as error:
            return error.as_json() if speaks_json(call.path) else error.as_xml()
        except ConnectionError:
            return web.Response(status=499)  # the client hung up: nobody reads this, and nothing is wrong here
        except Exception as error:
            log.exception("gcs.failed method=%s path=%s", call.method, call.path)
            failure = StorageError(500, "InternalError", "backendError", f"{type(error).__name__}: {error}")
            return failure.as_json() if speaks_json(call.path) else failure.as_xml()


async def serve(
    port: int,
    data_dir: Path,
    pubsub_host: str | None,
    signer_keys: tuple[Path, ...],
    *,
    allow_anonymous_xml: bool,
) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listening = _listen(port)
    address = "{}:{}".format(*listening.getsockname())
    storage = Storage(
        data_dir,
        address=address,
        signer_keys=signer_keys,
        pubsub_host=pubsub_host,
        allow_anonymous_xml=allow_anonymous_xml,
    )
    server = web.Server(Server(storage).handle, access_log=None, read_bufsize=READ_BUFFER_BYTES, auto_decompress=False)
    runner = web.ServerRunner(server)
    await runner.setup()
    await web.SockSite(runner, listening, shutdown_timeout=SHUTDOWN_SECONDS).start()
    cleaning = asyncio.create_task(lifecycle.run_forever(storage))
    click.echo(f"Cloud Storage listens on http://{address}")
    await stop.wait()
    cleaning.cancel()
    await runner.cleanup()
    await storage.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
    listening.bind((HOST, port))
    return listening


@click.command()
@click.option("--port", type=int, default=0, show_default=True, help="Port on 127.0.0.1; 0 takes a free one.")
@click.option(
    "--data-dir", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where everything is kept."
)
@click.option("--pubsub-host", help="host:port of the Pub/Sub server that gets notifications.")
@click.option(
    "--signer-key",
    "signer_keys",
    type=click.Path(dir_okay=False, path_type=Path),
    multiple=True,
    help="Service-account key file whose signatures are accepted; it may appear later. Can be repeated.",
)
@click.option("--allow-anonymous-xml", is_flag=True, help="Accept XML API requests that carry no signature at all.")
def command(
    port: int,
    data_dir: Path,
    pubsub_host: str | None,
    signer_keys: tuple[Path, ...],
    *,
    allow_anonymous_xml: bool,
) -> None:
    """Run the local Cloud Storage server."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        asyncio.run(serve(port, data_dir, pubsub_host, signer_keys, allow_anonymous_xml=allow_anonymous_xml))
    except OSError as error:
        raise click.ClickException(f"The local Cloud Storage server cannot start: {error}") from error
