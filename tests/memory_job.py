"""A job that is no more than its pipeline's function needs: steps in memory, the scratch directory given."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from spotmill import LanguageModel, Model
from spotmill.testing import Artifact, DirectoryJob

__all__ = ["Artifact", "MemoryJob"]

P = ParamSpec("P")
T = TypeVar("T")


@dataclass
class MemoryJob(DirectoryJob):
    """Runs one pipeline, called with it, over the file at ``path`` and keeps what it publishes."""

    steps: dict[str, Any] = field(default_factory=dict, init=False)

    def __init__(
        self,
        path: Path,
        scratch: Path,
        settings: Mapping[str, Any] | None = None,
        filename: str | None = None,
        content_type: str = "application/octet-stream",
        *,
        models: Mapping[str, Model] | None = None,
        language_model: LanguageModel | None = None,
    ) -> None:
        super().__init__(path, scratch, settings or {}, filename, content_type, models or {}, language_model)
        self.steps = {}
        self._own = uuid.uuid4().hex

    @property
    def scratch(self) -> Path:
        """The directory that the test gave."""
        return self.folder

    def download(self) -> Path:
        return self.path

    @property
    def _kept_artifacts(self) -> Path:
        return self.folder / f"artifacts-{self._own}"

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if key not in self.steps:
            self.steps[key] = fn(*args, **kwargs)
        stored: T = self.steps[key]
        return stored
