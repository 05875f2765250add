"""A job whose steps outlive its attempts, in a directory, and whose power can be cut at any of its moments."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from spotmill import LanguageModel, Model, ModelError, Passage, Pipeline, Source

P = ParamSpec("P")
T = TypeVar("T")


class PowerCutError(BaseException):
    """The machine is gone. Not an Exception, so that no pipeline survives it."""


@dataclass(frozen=True)
class Published:
    """An artifact, as it was when it was published."""

    path: Path
    content_type: str
    filename: str | None
    metadata: Mapping[str, Any]


@dataclass
class DirectoryJob:
    """One attempt at a job. ``home`` keeps what survives it: the stored steps; ``scratch`` is made anew.

    Every step begun, step stored and progress told is a moment; the power is cut at moment ``cut_at``, counted from 1.
    A step that is cut off was not stored, as in a real power cut. ``models`` are directories by their names.
    """

    path: Path
    home: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    cut_at: int | None = None
    filename: str | None = None
    content_type: str = "application/octet-stream"
    models: Mapping[str, Path] = field(default_factory=dict)
    language_model: LanguageModel | None = None
    artifacts: dict[str, Published] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    said: list[tuple[float, str]] = field(default_factory=list)
    searchable: list[Passage] = field(default_factory=list)
    language: str | None = None
    moments: int = 0
    #: Keys of the steps that this attempt ran, and of those that it found.
    ran: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scratch = self.home / "scratch"
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        self._steps = self.home / "steps"
        self._steps.mkdir(exist_ok=True)
        self._published = self.home / "artifacts"
        shutil.rmtree(self._published, ignore_errors=True)
        self._published.mkdir()

    @property
    def source(self) -> Source:
        name = f"20251203T15Z/0123/{self.filename or self.path.name}"
        return Source("uploads", name, 1, self.path.stat().st_size, self.content_type)

    def download(self) -> Path:
        return self.path

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        assert key not in self.ran + self.found, f"two steps with the key {key!r}"
        stored = (
            self._steps
            / hashlib.sha256(f"{key} {json.dumps(dict(self.settings), sort_keys=True)}".encode()).hexdigest()
        )
        if stored.is_dir():
            self.found.append(key)
            return cast("T", self._recall(stored))
        self.ran.append(key)
        self._moment()
        value = fn(*args, **kwargs)
        unfinished = self._steps / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _keep(unfinished, value)
        unfinished.rename(stored)
        self._moment()
        return value if isinstance(value, Path) else cast("T", self._recall(stored))

    def model(self, name: str) -> Model:
        if name not in self.models:
            raise ModelError(f"There is no model {name!r} here.")
        return Model(self.models[name], name)

    def progress(self, fraction: float, stage: str = "") -> None:
        assert 0 <= fraction <= 1
        self.said.append((fraction, stage))
        self._moment()

    def artifact(
        self,
        kind: str,
        content: Path | bytes,
        *,
        content_type: str,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        assert kind not in self.artifacts, f"two artifacts of kind {kind}"
        target = self._published / kind
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            shutil.copyfile(content, target)
        self.artifacts[kind] = Published(target, content_type, filename, dict(metadata or {}))

    def passages(self, passages: Iterable[Passage], *, language: str) -> None:
        self.searchable, self.language = list(passages), language

    def result(self, **values: Any) -> None:
        self.results |= json.loads(json.dumps(values, allow_nan=False))

    def _recall(self, folder: Path) -> Any:
        """Return a stored value; of a file, a copy of this attempt's own."""
        if (folder / "file").exists():
            (file,) = (folder / "file").iterdir()
            (self.scratch / folder.name).mkdir()
            return Path(shutil.copyfile(file, self.scratch / folder.name / file.name))
        if (folder / "bytes").exists():
            return (folder / "bytes").read_bytes()
        return json.loads((folder / "json").read_text())

    def _moment(self) -> None:
        self.moments += 1
        if self.moments == self.cut_at:
            raise PowerCutError


def run_through(pipeline: Pipeline, make: Callable[[int | None], DirectoryJob], cuts: Iterable[int]) -> DirectoryJob:
    """Run a pipeline to its end; attempt after attempt is cut off at the moments given, the last one is not.

    ``make`` returns the next attempt, given the moment at which its power is cut.
    """
    for cut in cuts:
        job = make(cut)
        try:
            pipeline(job)
        except PowerCutError:
            continue
        return job
    job = make(None)
    pipeline(job)
    return job


def _keep(folder: Path, value: object) -> None:
    if isinstance(value, Path):
        (folder / "file").mkdir()
        shutil.copyfile(value, folder / "file" / value.name)
    elif isinstance(value, bytes):
        (folder / "bytes").write_bytes(value)
    else:
        (folder / "json").write_text(json.dumps(value, allow_nan=False))
