"""``spotmill local eventarc``: one delivery for each trigger, and a health page."""

import json
import logging
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import click
import urllib3

from eventarc.triggers import TRIGGERS_FILE, Trigger, read_triggers
from local.clients import publisher_of, subscriber_of
from local.eventarc.delivery import KINDS, POST_SECONDS, Delivery
from local.eventarc.transport import Backoff, ensure_transport
from local.faults import page
from local.faults.injection import Faults

STOP_SECONDS = 1.0


class Router:
    """All deliveries of one project to one destination."""

    def __init__(
        self,
        triggers: tuple[Trigger, ...],
        *,
        project: str,
        region: str,
        pubsub_host: str,
        destination: str,
        concurrency: int,
        backoff: Backoff,
    ) -> None:
        self.faults = Faults(KINDS)
        publisher, subscriber = publisher_of(pubsub_host), subscriber_of(pubsub_host)
        http = urllib3.PoolManager(
            maxsize=concurrency * len(triggers), retries=False, timeout=urllib3.Timeout(connect=5, read=POST_SECONDS)
        )

        def delivery(trigger: Trigger) -> Delivery:
            def ensure() -> str:
                return ensure_transport(publisher, subscriber, trigger, project=project, region=region, backoff=backoff)

            return Delivery(
                trigger,
                project,
                destination,
                concurrency,
                subscriber=subscriber,
                ensure=ensure,
                http=http,
                faults=self.faults,
            )

        self.deliveries = [delivery(trigger) for trigger in triggers]

    def start(self) -> None:
        for delivery in self.deliveries:
            delivery.start()

    def stop(self) -> None:
        """Stop pulling, and give what is being posted a moment to be answered."""
        deadline = time.monotonic() + STOP_SECONDS
        for delivery in self.deliveries:
            delivery.stop()
        for delivery in self.deliveries:
            delivery.join(max(0.0, deadline - time.monotonic()))

    def states(self) -> dict[str, bool]:
        """Say of each trigger whether its events are being pulled."""
        return {delivery.trigger.name: delivery.pulling.is_set() for delivery in self.deliveries}


def health_server(port: int, router: Router) -> ThreadingHTTPServer:
    """Answer ``GET /_spotmill/health``: 200 when every trigger is being pulled, else 503. Faults are asked for here."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == page.PATH:
                self._fault_page()
                return
            states = router.states()
            known = self.path == "/_spotmill/health"
            body = json.dumps({"triggers": states}).encode() if known else b"{}"
            self._answer((200 if all(states.values()) else 503) if known else 404, body)

        def do_PUT(self) -> None:
            self._fault_page()

        def do_DELETE(self) -> None:
            self._fault_page()

        def _fault_page(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            if self.path == page.PATH:
                self._answer(*page.answer(router.faults, self.command, body))
            else:
                self._answer(404, b"{}")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing: health is asked for all the time."""

    return ThreadingHTTPServer(("127.0.0.1", port), Health)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="TCP port of the health page.")
@click.option("--pubsub-host", envvar="PUBSUB_EMULATOR_HOST", required=True, help="HOST:PORT of Pub/Sub.")
@click.option("--dispatcher-url", required=True, help="Where events are posted to.")
@click.option("--project", envvar="GOOGLE_CLOUD_PROJECT", required=True, help="Project id.")
@click.option("--region", default="us-central1", show_default=True, help="Becomes part of subscription names.")
@click.option(
    "--triggers",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=TRIGGERS_FILE,
    help="Definition of the triggers; Spotmill's own unless given.",
)
@click.option("--set", "names", multiple=True, metavar="NAME=VALUE", help="Fill ${NAME} in the triggers.")
@click.option("--concurrency", type=click.IntRange(1, 1000), default=8, show_default=True, help="Posts per trigger.")
@click.option("--min-backoff", type=float, default=10.0, show_default=True, help="First wait after a refusal, seconds.")
@click.option("--max-backoff", type=float, default=600.0, show_default=True, help="Longest wait, seconds.")
def command(
    *,
    port: int,
    pubsub_host: str,
    dispatcher_url: str,
    project: str,
    region: str,
    file: Path,
    names: tuple[str, ...],
    concurrency: int,
    min_backoff: float,
    max_backoff: float,
) -> None:
    """Routes events to one HTTP destination as Eventarc does."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        triggers = read_triggers(dict(name.partition("=")[::2] for name in names), file)
    except KeyError as error:
        raise click.ClickException(f"{file.name} needs --set {error.args[0]}=VALUE") from error
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    router = Router(
        triggers,
        project=project,
        region=region,
        pubsub_host=pubsub_host,
        destination=dispatcher_url,
        concurrency=concurrency,
        backoff=Backoff(min_backoff, max_backoff),
    )
    server = health_server(port, router)

    def stop(_signal: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown).start()  # waits for serve_forever, which this thread runs

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    router.start()
    click.echo(f"Eventarc on 127.0.0.1:{server.server_port}")
    server.serve_forever(poll_interval=0.1)
    router.stop()
    os._exit(0)  # a normal exit would wait for posts without an answer; their events are delivered again
