"""Answers to Pub/Sub, sent in the order they are given and many at once, beside the work.

An answer that Pub/Sub does not take within ``PATIENCE_SECONDS`` is dropped: the message comes again, and the claim in
SQL finds that there is nothing left to do.
"""

import queue
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

import stamina
import structlog

from worker.holding import TOGETHER_SECONDS
from worker.pull import PubSubError, Subscription

PATIENCE_SECONDS = 20

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Answer:
    ack_id: str
    again: bool


class Receipts:
    """Sends acks and nacks from a thread of its own."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._queue: queue.SimpleQueue[_Answer | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._send_for_ever, name="receipts", daemon=True).start()

    def acknowledge(self, ack_ids: Iterable[str]) -> None:
        """Have messages forgotten."""
        for ack_id in ack_ids:
            self._queue.put(_Answer(ack_id, again=False))

    def give_back(self, ack_ids: Iterable[str]) -> None:
        """Have messages delivered again at once, to whoever pulls."""
        for ack_id in ack_ids:
            self._queue.put(_Answer(ack_id, again=True))

    def flush(self, seconds: float) -> bool:
        """Wait until all that was given before is sent; False if that takes longer."""
        sent = threading.Event()
        self._queue.put(sent)
        return sent.wait(seconds)

    def _send_for_ever(self) -> None:
        while True:
            batch = [self._queue.get()]
            time.sleep(TOGETHER_SECONDS)
            while not self._queue.empty():
                batch.append(self._queue.get())
            answers = [item for item in batch if isinstance(item, _Answer)]
            self._send([a.ack_id for a in answers if not a.again], again=False)
            self._send([a.ack_id for a in answers if a.again], again=True)
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()

    def _send(self, ack_ids: list[str], *, again: bool) -> None:
        if not ack_ids:
            return
        try:
            for trial in stamina.retry_context(
                on=PubSubError,
                attempts=None,
                timeout=PATIENCE_SECONDS,
                wait_initial=0.2,
                wait_jitter=0.2,
                wait_max=2,
            ):
                with trial:
                    if again:
                        self._subscription.set_deadline(ack_ids, 0)
                    else:
                        self._subscription.acknowledge(ack_ids)
        except PubSubError as error:
            log.warning("receipts.dropped", messages=len(ack_ids), again=again, error=str(error))
