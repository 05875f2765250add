"""Bad weather between the servers: errors, lost answers, doubled, late and shuffled messages, cut connections."""

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.faults.control import SERVERS, FaultControl, FaultsError
from tests.chaos.book import Book, MissedError
from tests.chaos.mill import AWAY, Mill
from tests.chaos.schedule import Fault, Rate

POLL_SECONDS = 0.5
#: Seconds for which weather stays bad beyond its time if it has struck nobody yet.
LONGER_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Weather:
    """One kind of trouble of one server: a rule of ``docs/faults.md``, and how often it comes."""

    server: str
    rate: Rate
    rule: Mapping[str, Any] = field(default_factory=dict)


_OFTEN, _SELDOM = Rate(90, (4, 10)), Rate(150, (3, 8))

WEATHER: dict[str, Weather] = {
    "storage answers 503": Weather("gcs", _OFTEN, {"fault": "error", "status": 503, "probability": 0.3}),
    "storage answers 429": Weather("gcs", _SELDOM, {"fault": "error", "status": 429, "probability": 0.3}),
    "storage is slow": Weather("gcs", _SELDOM, {"fault": "latency", "delay_seconds": 1.5, "probability": 0.3}),
    "storage loses answers": Weather("gcs", _OFTEN, {"fault": "lose_answer", "probability": 0.2}),
    "uploads are cut": Weather("gcs", _OFTEN, {"fault": "cut_upload", "probability": 0.3, "after_bytes": 20000}),
    "downloads are cut": Weather("gcs", _OFTEN, {"fault": "cut_download", "probability": 0.3, "after_bytes": 500}),
    "downloads are truncated": Weather("gcs", _OFTEN, {"fault": "truncate", "probability": 0.3, "after_bytes": 500}),
    "Pub/Sub is unavailable": Weather("pubsub", _OFTEN, {"fault": "error", "probability": 0.3}),
    "Pub/Sub loses answers": Weather("pubsub", _OFTEN, {"fault": "lose_answer", "probability": 0.2}),
    "Pub/Sub forgets acks": Weather("pubsub", _OFTEN, {"fault": "lose_ack", "probability": 0.3}),
    "messages doubled": Weather("pubsub", _OFTEN, {"fault": "duplicate", "delay_seconds": 0.5, "probability": 0.5}),
    "messages late": Weather("pubsub", _OFTEN, {"fault": "delay", "delay_seconds": 6, "probability": 0.3}),
    "messages shuffled": Weather("pubsub", _OFTEN, {"fault": "reorder", "delay_seconds": 3, "probability": 0.7}),
    "streams are cut": Weather("pubsub", _SELDOM, {"fault": "cut_stream", "probability": 0.3}),
    "events doubled": Weather("eventarc", _OFTEN, {"fault": "duplicate", "probability": 0.5}),
    "events late": Weather("eventarc", _OFTEN, {"fault": "delay", "delay_seconds": 5, "probability": 0.2}),
    "events shuffled": Weather("eventarc", _OFTEN, {"fault": "reorder", "delay_seconds": 3, "probability": 0.7}),
    "events' answers lost": Weather("eventarc", _OFTEN, {"fault": "lose_answer", "probability": 0.3}),
    "events dropped": Weather("eventarc", _SELDOM, {"fault": "drop", "probability": 0.2, "match": "^upload-finalized"}),
    "Compute answers 503": Weather("compute", _SELDOM, {"fault": "error", "status": 503, "probability": 0.5,
                                                        "match": "compute/v1"}),
    "Compute loses answers": Weather("compute", _SELDOM, {"fault": "lose_answer", "probability": 0.4,
                                                          "match": "compute/v1"}),
    "no capacity for VMs": Weather("compute", _SELDOM, {"fault": "stockout", "delay_seconds": 3}),
    "database refuses": Weather("postgres", _OFTEN, {"fault": "refuse", "probability": 0.7}),
    "database is slow": Weather("postgres", _OFTEN, {"fault": "latency", "delay_seconds": 0.3, "probability": 0.3}),
    "database is cut off": Weather("postgres", _OFTEN, {"fault": "cut", "probability": 0.05}),
    "database hangs": Weather("postgres", _SELDOM, {"fault": "hang", "probability": 0.01}),
}  # fmt: skip

NETWORK_FAULTS = {kind: weather.rate for kind, weather in WEATHER.items()}


class Network:
    """Asks the servers for the weather, again after each of their restarts, and reads how many calls it struck."""

    def __init__(self, mill: Mill, book: Book, seed: int) -> None:
        self._mill = mill
        self._book = book
        self._seed = seed
        self._wanted: dict[str, dict[str, Mapping[str, Any]]] = {server: {} for server in SERVERS}
        self._told: dict[str, list[str]] = {}
        self._counted: dict[str, Counter[str]] = {}
        self._locks = {server: threading.Lock() for server in SERVERS}

    def storm(self, fault: Fault) -> None:
        """Have one kind of weather for a while, and until it has struck somebody."""
        weather = WEATHER[fault.kind]
        before, begun = self._book.done[fault.kind], time.monotonic()
        self._change(weather.server, fault.kind, weather.rule)
        try:
            while True:
                time.sleep(POLL_SECONDS)
                self._refresh(weather.server)
                passed = time.monotonic() - begun
                struck = self._book.done[fault.kind] > before
                if passed > fault.seconds + LONGER_SECONDS or (struck and passed > fault.seconds):
                    break
        finally:
            self._change(weather.server, fault.kind, None)
        if not struck:
            raise MissedError(f"{fault.kind} struck nobody")

    def clear(self) -> None:
        """Let the sun shine everywhere."""
        for server in SERVERS:
            self._wanted[server].clear()
            self._refresh(server)

    def _change(self, server: str, kind: str, rule: Mapping[str, Any] | None) -> None:
        with self._locks[server]:
            if rule is None:
                self._wanted[server].pop(kind, None)
            else:
                self._wanted[server][kind] = rule
        self._refresh(server)

    def _refresh(self, server: str) -> None:
        """Count what was struck since the last look, and tell the server its rules if it does not have them."""
        with self._locks[server]:
            kinds = list(self._wanted[server])
            try:
                control = FaultControl.of(self._mill.cloud.environment, server)
                said = control.get()
                told = self._told.get(server, [])
                if [entry["rule"]["fault"] for entry in said["rules"]] == [WEATHER[k].rule["fault"] for k in told]:
                    self._count(server, told, said["rules"])
                else:  # it was restarted, and has no plan
                    told = []
                if told != kinds:
                    control.put([self._wanted[server][kind] for kind in kinds], seed=self._seed)
                    self._counted[server] = Counter()
                    self._told[server] = kinds
            except (FaultsError, MissedError, *AWAY):  # a dead server is bad weather enough
                return

    def _count(self, server: str, kinds: list[str], rules: list[Mapping[str, Any]]) -> None:
        counted = self._counted.setdefault(server, Counter())
        for kind, rule in zip(kinds, rules, strict=True):
            fresh = rule["injected"] - counted[kind]
            if fresh > 0:
                self._book.count(self._book.done, kind, fresh)
            counted[kind] = rule["injected"]
