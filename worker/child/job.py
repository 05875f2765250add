"""The job as its pipeline sees it: every wish becomes a message to the agent."""

import json
import mimetypes
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from spotmill.language_model import LanguageModelError
from spotmill.pipeline import Model, ModelError, Passage, Source
from worker.child.line import Line
from worker.child.messages import (
    KIND,
    Answered,
    Ask,
    Fetch,
    Fetched,
    Form,
    Hosted,
    Index,
    Load,
    Loaded,
    Progress,
    Publish,
    Recall,
    Recalled,
    Refused,
    Run,
    Stop,
    Store,
    Stored,
    Told,
)

P = ParamSpec("P")
T = TypeVar("T")

#: Least seconds between two progress messages that do not change the stage.
PROGRESS_SECONDS = 0.1


class LeaveError(BaseException):
    """The agent wants the job left here. Not an Exception, so that no pipeline takes it for a failure of its own."""


@dataclass(frozen=True, slots=True)
class _HostedModel:
    """``spotmill.LanguageModel`` over the line: the agent asks, and keeps the key."""

    engine: str
    model: str
    window_tokens: int
    _job: "ChildJob"

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any]) -> str:
        return self._job.ask({"system": system, "prompt": prompt, "schema": schema})


class ChildJob:
    """``spotmill.pipeline.Job`` over the line to the agent."""

    def __init__(self, run: Run, line: Line) -> None:
        self.source = Source(run.bucket, run.name, run.generation, run.size_bytes, run.content_type)
        self.settings: Mapping[str, Any] = run.settings
        self.scratch = Path(run.work)
        self.results: dict[str, Any] = {}
        self._hosted = None if run.language_model is None else Hosted(**run.language_model)
        self._line = line
        self._hidden = self.scratch / ".spotmill"
        self._files = 0
        self._source_path: Path | None = None
        self._keys: set[str] = set()
        self._kinds: set[str] = set()
        self._told = (0.0, "")
        self._told_at = 0.0

    def download(self) -> Path:
        if self._source_path is None:
            self._source_path = Path(_expect(Fetched, self._line.ask(Fetch())).path)
        return self._source_path

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if key in self._keys:
            raise ValueError(f"step {key!r} was already used in this job; a key names one step")
        self._keys.add(key)
        known = _expect(Recalled, self._line.ask(Recall(key)))
        if known.path is not None:
            return cast("T", _load(Path(known.path), known.form))
        started = time.monotonic()
        value = fn(*args, **kwargs)
        seconds = time.monotonic() - started
        file, form, filename = self._keep(key, value)
        stored = _expect(Stored, self._line.ask(Store(key, form, file, filename, seconds)))
        try:
            if stored.path is not None:
                return cast("T", _load(Path(stored.path), stored.form))
            # What JSON makes of a value is what a later attempt would get, so this one gets it, too.
            return cast("T", _load(self.scratch / file, form)) if form == "json" else value
        finally:
            (
                self.scratch / file
            ).unlink()  # it is in the bucket: a pipeline that deletes its own file gets the disk back

    def model(self, name: str) -> Model:
        told = self._line.ask(Load(name))
        if isinstance(told, Refused):
            raise ModelError(told.error)
        loaded = _expect(Loaded, told)
        return Model(Path(loaded.path), loaded.id, loaded.place)

    @property
    def language_model(self) -> _HostedModel | None:
        hosted = self._hosted
        return None if hosted is None else _HostedModel(hosted.engine, hosted.model, hosted.window_tokens, self)

    def ask(self, question: Mapping[str, Any]) -> str:
        """Put a question to the hosted model; return the text of its answer."""
        told = self._line.ask(Ask(self._write(json.dumps(question).encode())))
        if isinstance(told, Refused):
            raise LanguageModelError(told.error, retryable=told.retryable)
        return Path(_expect(Answered, told).path).read_text(encoding="utf-8")

    def passages(self, passages: Iterable[Passage], *, language: str) -> None:
        content = json.dumps([asdict(passage) for passage in passages], allow_nan=False)
        self._line.say(Index(self._write(content.encode()), language))

    def progress(self, fraction: float, stage: str = "") -> None:
        told = (min(1.0, max(0.0, float(fraction))), stage)
        now = time.monotonic()
        if told == self._told or (told[1] == self._told[1] and now - self._told_at < PROGRESS_SECONDS):
            return
        self._told, self._told_at = told, now
        self._line.say(Progress(*told))

    def artifact(
        self,
        kind: str,
        content: Path | bytes,
        *,
        content_type: str,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        if not KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no kind of artifact: letters, digits, '.', '_' and '-', 100 at most")
        if kind in self._kinds:
            raise ValueError(f"this job has an artifact of kind {kind!r} already")
        self._kinds.add(kind)
        name = filename or kind + (mimetypes.guess_extension(content_type) or "")
        file = self._write(content) if isinstance(content, bytes) else self._link(Path(content))
        self._line.say(Publish(kind, file, content_type, name, dict(metadata or {})))

    def result(self, **values: Any) -> None:
        json.dumps(values, allow_nan=False)  # the author should hear of it here, not when the job ends
        self.results.update(values)

    def _keep(self, key: str, value: object) -> tuple[str, Form, str]:
        """Put the value of a step into a file; return its name, what it is, and what it was called."""
        if isinstance(value, Path):
            return self._link(value), "file", value.name
        if isinstance(value, bytes):
            return self._write(value), "bytes", ""
        try:
            return self._write(json.dumps(value, allow_nan=False).encode()), "json", ""
        except (TypeError, ValueError) as error:
            raise TypeError(f"step {key!r} returned neither JSON, bytes nor a path: {error}") from None

    def _new_name(self) -> str:
        self._hidden.mkdir(exist_ok=True)
        self._files += 1
        return f"{self._hidden.name}/{self._files}"

    def _write(self, content: bytes) -> str:
        name = self._new_name()
        (self.scratch / name).write_bytes(content)
        return name

    def _link(self, path: Path) -> str:
        """Give the file a name of its own in the work directory: the pipeline may delete or replace it afterwards."""
        name = self._new_name()
        target = self.scratch / name
        real = path.resolve(strict=True)
        try:
            os.link(real, target)
        except OSError:  # on another disk, or not the child's own
            shutil.copyfile(real, target)
        return name


_Answer = TypeVar("_Answer", Fetched, Recalled, Stored, Loaded, Answered)


def _expect(kind: type[_Answer], told: Told) -> _Answer:
    if isinstance(told, Stop):
        raise LeaveError
    if not isinstance(told, kind):
        raise TypeError(f"the agent answered {told.type!r} instead of {kind.__name__!r}")
    return told


def _load(path: Path, form: Form) -> Any:
    if form == "file":
        return path
    content = path.read_bytes()
    return json.loads(content) if form == "json" else content
