"""``spotmill local cable``: forwards one TCP port to another, as badly as it is told to."""

import asyncio
import logging
import signal
from contextlib import suppress

import click
from aiohttp import web

from local.faults import page
from local.faults.injection import Faults
from local.faults.plan import Rule

KINDS = {
    "refuse": "close a new connection at once",
    "latency": "wait `delay_seconds` before bytes are passed on, in either direction",
    "hang": "pass nothing on any more, and leave the connection open",
    "cut": "cut a connection (a reset) when it next carries bytes",
}
_CHUNK_BYTES = 64 * 1024

log = logging.getLogger(__name__)


class Cable:
    """All connections to one server. Calls are named ``connect``, ``request`` (to the server), ``answer`` (from it)."""

    def __init__(self, host: str, port: int) -> None:
        self.faults = Faults(KINDS)
        self._host, self._port = host, port
        self._open: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side ends it, or a fault does."""
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        ends = [writer]
        try:
            if self.faults.active and self.faults.pick("refuse", "connect") is not None:
                return
            behind_reader, behind_writer = await asyncio.open_connection(self._host, self._port)
            ends.append(behind_writer)
            ways = (self._carry("request", reader, behind_writer), self._carry("answer", behind_reader, writer))
            pumps = [asyncio.create_task(way) for way in ways]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            pass  # the server is not there: the client sees its connection end
        finally:
            for end in ends:
                end.transport.abort()

    async def close(self) -> None:
        """End every connection."""
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _carry(self, call: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if self.faults.active and await self._troubled(call):
                    return
                writer.write(data)
                await writer.drain()
            writer.write_eof()
            await writer.drain()

    async def _troubled(self, call: str) -> bool:
        """Do to some bytes what the plan wants; whether the connection is to be cut."""
        rule: Rule | None
        if (rule := self.faults.pick("latency", call)) is not None:
            await asyncio.sleep(rule.delay_seconds)
        if self.faults.pick("hang", call) is not None:
            await asyncio.Event().wait()  # until either side closes, or the server stops
        return self.faults.pick("cut", call) is not None


async def serve(port: int, control_port: int, host: str, to_port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cable = Cable(host, to_port)

    async def control(request: web.BaseRequest) -> web.Response:
        if request.path != page.PATH:
            return web.Response(status=200 if request.path == "/_spotmill/health" else 404)
        status, said = page.answer(cable.faults, request.method, await request.read())
        return web.Response(status=status, body=said, content_type="application/json")

    forwarding = await asyncio.start_server(cable.accept, "127.0.0.1", port)
    runner = web.ServerRunner(web.Server(control, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", control_port, shutdown_timeout=0.2)
    await site.start()
    click.echo(f"Cable on 127.0.0.1:{forwarding.sockets[0].getsockname()[1]}, control on {_url(runner)}")
    await stop.wait()
    forwarding.close()
    await cable.close()
    await runner.cleanup()


def _url(runner: web.ServerRunner) -> str:
    return "http://{}:{}".format(*runner.addresses[0][:2])


@click.command()
@click.option("--to", "target", required=True, metavar="HOST:PORT", help="The server behind the cable.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Where clients connect to.")
@click.option(
    "--control-port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Where faults are asked for."
)
def command(target: str, port: int, control_port: int) -> None:
    """Forward a TCP port of 127.0.0.1 to a server, and break the connections on request."""
    host, _, to_port = target.rpartition(":")
    if not host or not to_port.isdecimal():
        raise click.UsageError("--to is HOST:PORT")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        asyncio.run(serve(port, control_port, host, int(to_port)))
    except OSError as error:
        raise click.ClickException(f"the cable cannot start: {error}") from error
