"""Delivers one trigger's events: pull, convert, post; acknowledge what was accepted, return what was not."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import urllib3
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1 import SubscriberClient
from google.cloud.pubsub_v1.subscriber.message import Message as PulledMessage
from google.cloud.pubsub_v1.subscriber.scheduler import ThreadScheduler
from google.cloud.pubsub_v1.types import FlowControl

from eventarc.triggers import Trigger
from local.eventarc.cloudevent import Message, Request, UnknownEventError, as_request
from local.faults.injection import Faults

log = logging.getLogger("eventarc")

# What a Pub/Sub push, which Eventarc delivers by, takes for an acknowledgement
# (https://cloud.google.com/pubsub/docs/push#receive_push).
ACKNOWLEDGED = frozenset({102, 200, 201, 202, 204})
POST_SECONDS = 60.0
RETRY_SECONDS = 0.5
#: What the router can be told to do wrong (``docs/faults.md``).
KINDS = {
    "duplicate": "post an event twice",
    "delay": "wait `delay_seconds` before an event is posted",
    "reorder": "wait a random time up to `delay_seconds`",
    "lose_answer": "post an event, and take its answer for a failure: it comes again",
    "drop": "never post an event, as one that failed for a day",
}


class Delivery:
    """Keeps one streaming pull open until it is stopped, through restarts of Pub/Sub and of the dispatcher."""

    def __init__(
        self,
        trigger: Trigger,
        project: str,
        destination: str,
        concurrency: int,
        *,
        subscriber: SubscriberClient,
        ensure: Callable[[], str],
        http: urllib3.PoolManager,
        faults: Faults,
    ) -> None:
        self.trigger = trigger
        self.project = project
        self.url = destination.rstrip("/") + trigger.path
        self.concurrency = concurrency
        self.pulling = threading.Event()
        self._subscriber = subscriber
        self._ensure = ensure
        self._http = http
        self._faults = faults
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"delivery-{trigger.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()

    def join(self, timeout_seconds: float) -> None:
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                subscription = self._ensure()
                self._pull(subscription)
            except GoogleAPICallError as error:
                # Pub/Sub is away, or has lost the subscription: both are mended by beginning again.
                log.warning("eventarc.interrupted trigger=%s error=%s", self.trigger.name, error)
                self._stopped.wait(RETRY_SECONDS)
            finally:
                self.pulling.clear()

    def _pull(self, subscription: str) -> None:
        name = subscription.rsplit("/", 1)[-1]
        stream = self._subscriber.subscribe(
            subscription,
            callback=lambda message: self._deliver(message, name),
            flow_control=FlowControl(max_messages=self.concurrency),
            scheduler=ThreadScheduler(ThreadPoolExecutor(self.concurrency, f"post-{self.trigger.name}")),
        )
        self.pulling.set()
        stream.add_done_callback(lambda _: self._wake.set())
        self._wake.wait()
        if self._stopped.is_set():
            stream.cancel()
        else:
            self._wake.clear()
        stream.result()

    def _deliver(self, pulled: PulledMessage, subscription: str) -> None:
        message = Message(
            id=pulled.message_id,
            published_at=pulled.publish_time,
            data=pulled.data,
            attributes=dict(pulled.attributes),
            ordering_key=pulled.ordering_key,
            delivery_attempt=pulled.delivery_attempt,
        )
        try:
            request = as_request(self.trigger, message, self.project, subscription)
        except UnknownEventError as error:
            log.info("eventarc.ignored trigger=%s id=%s event=%s", self.trigger.name, message.id, error)
            pulled.ack()
            return
        if self._faults.active and self._troubled(pulled, request):
            return
        try:
            response = self._post(request)
        except urllib3.exceptions.HTTPError as error:
            log.warning("eventarc.unreachable trigger=%s id=%s error=%s", self.trigger.name, message.id, error)
            pulled.nack()
            return
        if response.status in ACKNOWLEDGED:
            log.debug("eventarc.delivered trigger=%s id=%s status=%s", self.trigger.name, message.id, response.status)
            pulled.ack()
        else:
            log.warning("eventarc.refused trigger=%s id=%s status=%s", self.trigger.name, message.id, response.status)
            pulled.nack()

    def _post(self, request: Request) -> urllib3.BaseHTTPResponse:
        return self._http.request("POST", self.url, body=request.body, headers=request.headers)

    def _troubled(self, pulled: PulledMessage, request: Request) -> bool:
        """Do to an event what the plan wants; whether that was the end of it, for now."""
        call = f"{self.trigger.name} {request.headers['ce-id']}"
        if (delay := self._faults.delay(call)) is not None:
            self._stopped.wait(delay)
        if self._faults.pick("drop", call) is not None:
            pulled.ack()
            return True
        if self._faults.pick("duplicate", call) is not None:
            with suppress(urllib3.exceptions.HTTPError):
                self._post(request)
        if self._faults.pick("lose_answer", call) is not None:
            with suppress(urllib3.exceptions.HTTPError):
                self._post(request)
            pulled.nack()
            return True
        return False
