"""Stored steps: what an attempt has finished, kept beside the job for the next one.

A step's object is named by a hash of all that its value depends on: the pipeline's name and version, the job's settings
and the step's key. It is written with if-generation-match 0, so that the first writer wins for good.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from shared.objects import steps_prefix
from worker.child.messages import Form, Offered, Store
from worker.holding import Held
from worker.scratch import Scratch
from worker.transfer import AlreadyThereError, SourceGoneError, Storage

_FORMS: tuple[Form, ...] = get_args(Form)


class StepTooLargeError(Exception):
    """A step returned more than may be stored; the message says how much."""


@dataclass(frozen=True, slots=True)
class Value:
    """A stored value, fetched to ``path``. ``seconds`` is what it once took to make."""

    path: Path
    form: Form
    seconds: float


def step_id(pipeline: str, version: str, settings: Mapping[str, Any], key: str) -> str:
    """Name a step by everything that its value depends on besides the source."""
    said = json.dumps([pipeline, version, settings, key], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()[:40]


class Steps:
    """The stored steps of one held job."""

    def __init__(self, storage: Storage, bucket: str, held: Held, pipeline: Offered, scratch: Scratch) -> None:
        self._storage = storage
        self._bucket = bucket
        self._held = held
        self._pipeline = pipeline
        self._scratch = scratch
        self._prefix = steps_prefix(held.claim.id)
        # A first attempt has nothing to look for.
        self._known: set[str] | None = set() if held.claim.attempt == 1 else None

    def recall(self, key: str) -> Value | None:
        """Fetch what an earlier attempt stored under ``key``; None if nothing is there."""
        name = self._name(key)
        if self._known is None:
            self._known = self._storage.names(self._bucket, self._prefix)
        if name not in self._known or (value := self._fetch(name)) is None:
            return None
        self._held.saved_seconds += value.seconds
        self._held.changed = True
        return value

    def store(self, step: Store, most_bytes: int) -> Value | None:
        """Store a value; return the one that counts if another attempt was first.

        Raises:
            StepTooLargeError: it has more than ``most_bytes``.
        """
        seconds = f"{_plausible(step.seconds):.3f}"
        metadata = {"form": step.form, "filename": step.filename, "seconds": seconds, "step": step.key}
        first: Value | None = None
        with self._scratch.open(step.file) as content:
            size_bytes = content.seek(0, 2)
            if size_bytes > most_bytes:
                raise StepTooLargeError(f"Step {step.key!r} returned {size_bytes} bytes; {most_bytes} can be stored.")
            name = self._name(step.key)
            try:
                self._storage.put(
                    self._bucket,
                    name,
                    content,
                    content_type="application/json" if step.form == "json" else "application/octet-stream",
                    metadata=metadata,
                    check=self._held.check,
                )
            except AlreadyThereError:
                first = self._fetch(name)
        self._held.steps_stored += 1
        self._held.changed = True
        self._held.touch()
        return first

    def _name(self, key: str) -> str:
        claim = self._held.claim
        return self._prefix + step_id(claim.pipeline, self._pipeline.version, claim.settings, key)

    def _fetch(self, name: str) -> Value | None:
        blob = self._storage.look(self._bucket, name)
        if blob is None:
            return None
        metadata = blob.metadata or {}
        form = metadata.get("form")
        path = self._scratch.stored(name.rsplit("/", 1)[-1], metadata.get("filename", ""))
        try:
            self._storage.fetch(self._bucket, name, int(blob.generation), path, check=self._held.check)
        except SourceGoneError:  # swept away this moment
            return None
        return Value(path, form if form in _FORMS else "bytes", _plausible(float(metadata.get("seconds", 0))))


def _plausible(seconds: float) -> float:
    """Return a duration that the database can add up, whatever a child claims (NaN is neither more nor less)."""
    return seconds if 0 <= seconds < 1e9 else 0.0
