"""A job that needs no agent: files in a directory, everything else in memory."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from spotmill import LanguageModel, Model, ModelError, Passage, Source

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Artifact:
    """A file that the pipeline published."""

    kind: str
    data: bytes
    content_type: str
    filename: str | None
    metadata: Mapping[str, Any]


@dataclass
class MemoryJob:
    """Runs one pipeline over the file at ``path`` and keeps what it publishes."""

    path: Path
    scratch: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    filename: str | None = None
    content_type: str = "application/octet-stream"
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    steps: dict[str, Any] = field(default_factory=dict)
    stages: list[tuple[float, str]] = field(default_factory=list)
    models: Mapping[str, Model] = field(default_factory=dict)
    language_model: LanguageModel | None = None
    said: list[Passage] = field(default_factory=list)
    language: str = ""

    @property
    def source(self) -> Source:
        name = f"20251203T15Z/0123/{self.filename or self.path.name}"
        return Source("uploads", name, 1, self.path.stat().st_size, self.content_type)

    def download(self) -> Path:
        return self.path

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if key not in self.steps:
            self.steps[key] = fn(*args, **kwargs)
        stored: T = self.steps[key]
        return stored

    def model(self, name: str) -> Model:
        if name not in self.models:
            raise ModelError(f"no model named {name!r}")
        return self.models[name]

    def passages(self, passages: Iterable[Passage], *, language: str) -> None:
        self.said, self.language = list(passages), language

    def progress(self, fraction: float, stage: str = "") -> None:
        self.stages.append((fraction, stage))

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
        data = content if isinstance(content, bytes) else content.read_bytes()
        self.artifacts[kind] = Artifact(kind, data, content_type, filename, metadata or {})

    def result(self, **values: Any) -> None:
        self.results |= values
