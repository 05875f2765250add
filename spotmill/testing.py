"""A job for the tests of pipelines: no agent, no cloud, a directory instead. What an author tests against.

>>> job = DirectoryJob(tmp_path / "photos.zip", tmp_path / "job", settings={"columns": 4})
>>> job.run(contact_sheets)
True
>>> job.artifacts["index"].content_type
'application/json'

A value that a step returned comes back as the agent would give it: from JSON, and a file at another place.
"""

import filecmp
import hashlib
import json
import mimetypes
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from shared.complaints import complaint
from spotmill.language_model import LanguageModel
from spotmill.pipeline import Model, ModelError, Passage, Pipeline, Source

P = ParamSpec("P")
T = TypeVar("T")

#: As the agent has it: a kind becomes part of an object's name.
_KIND = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class Artifact:
    """A file that the pipeline published, as it was then; two are equal if all but the place is."""

    kind: str
    path: Path = field(compare=False)
    sha256: str
    content_type: str
    filename: str
    metadata: Mapping[str, Any]

    @property
    def data(self) -> bytes:
        """All that is in it."""
        return self.path.read_bytes()


class LeftError(BaseException):
    """The VM is taken. Not an Exception, so that no pipeline takes it for a failure of its own."""


@dataclass
class DirectoryJob:
    """A job whose steps, artifacts and scratch directories lie in ``folder``, which must not be the source's own.

    ``path`` is the source; ``filename`` is the name that the uploader gave it, if another. ``models`` are those that
    the operator offers. What the last attempt published is in ``artifacts``, ``results``, ``said`` (passages) with
    ``language``, and ``stages``; ``ran`` and ``recalled`` are the keys of the steps that it ran, and of those that were
    stored already.
    """

    path: Path
    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    filename: str | None = None
    content_type: str = "application/octet-stream"
    models: Mapping[str, Model] = field(default_factory=dict)
    language_model: LanguageModel | None = None
    artifacts: dict[str, Artifact] = field(default_factory=dict, init=False)
    results: dict[str, Any] = field(default_factory=dict, init=False)
    stages: list[tuple[float, str]] = field(default_factory=list, init=False)
    said: list[Passage] = field(default_factory=list, init=False)
    language: str = field(default="", init=False)
    ran: list[str] = field(default_factory=list, init=False)
    recalled: list[str] = field(default_factory=list, init=False)
    _attempt: int = field(default=0, init=False)
    _leave_after: int | None = field(default=None, init=False)
    _published: list[tuple[Path, int, Path]] = field(default_factory=list, init=False)

    def run(self, pipeline: Pipeline, *, leave_after: int | None = None) -> bool:
        """Make an attempt; return whether it came to its end.

        ``leave_after``: the VM is taken as soon as so many steps have been run and stored. The next call is the next
        attempt, with an empty scratch directory and the steps that were stored.

        Raises:
            ValueError: the settings do not fit the pipeline's schema, or a file was overwritten after it was published
                (the agent uploads it while the pipeline goes on).
            Exception: whatever the pipeline raises.
        """
        self._check_settings(pipeline)
        self._attempt += 1
        self._leave_after = leave_after
        self.artifacts, self.results, self.stages, self.said = {}, {}, [], []
        self.ran, self.recalled, self._published = [], [], []
        shutil.rmtree(self._kept_artifacts, ignore_errors=True)
        try:
            pipeline(self)
            self._check_published()
        except LeftError:
            return False
        finally:
            shutil.rmtree(self.folder / f"attempt-{self._attempt}", ignore_errors=True)
        return True

    @property
    def source(self) -> Source:
        """The object to process, as an upload would be named."""
        name = f"20251203T15Z/0123/{self.filename or self.path.name}"
        return Source("uploads", name, 1, self.path.stat().st_size, self.content_type)

    @property
    def scratch(self) -> Path:
        """An empty directory of this attempt; deleted when ``run`` returns."""
        scratch = self.folder / f"attempt-{self._attempt}" / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch

    def download(self) -> Path:
        """Return the source's path; its name tells nothing, as on a worker."""
        source = self.scratch.parent / "source"
        if not source.exists():
            shutil.copyfile(self.path, source)
        return source

    def step(self, key: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` if no attempt did so yet; return what it returned, as JSON and the disk make of it."""
        if key in self.ran or key in self.recalled:
            raise ValueError(f"step {key!r} was already used in this job; a key names one step")
        kept = self.folder / "steps" / _file_name(key, self.settings)
        if kept.exists():
            self.recalled.append(key)
            return cast("T", self._load(kept))
        value = fn(*args, **kwargs)
        _keep(kept, key, value)
        self.ran.append(key)
        if self._leave_after is not None and len(self.ran) >= self._leave_after:
            raise LeftError
        return value if isinstance(value, Path | bytes) else cast("T", self._load(kept))

    def model(self, name: str) -> Model:
        """Return a model of ``models``.

        Raises:
            ModelError: there is none of that name.
        """
        if name not in self.models:
            raise ModelError(f"no model named {name!r}")
        return self.models[name]

    def progress(self, fraction: float, stage: str = "") -> None:
        """Note how far the job is."""
        self.stages.append((float(fraction), stage))

    def artifact(
        self,
        kind: str,
        content: Path | bytes,
        *,
        content_type: str,
        filename: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Copy what is published, as the pipeline may delete it afterwards."""
        if not _KIND.fullmatch(kind):
            raise ValueError(f"{kind!r} is no kind of artifact: letters, digits, '.', '_' and '-', 100 at most")
        if kind in self.artifacts:
            raise ValueError(f"this job has an artifact of kind {kind!r} already")
        self._kept_artifacts.mkdir(parents=True, exist_ok=True)
        path = self._kept_artifacts / kind
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            shutil.copyfile(content, path)
            self._published.append((content, content.stat().st_ino, path))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = filename or kind + (mimetypes.guess_extension(content_type) or "")
        self.artifacts[kind] = Artifact(kind, path, digest, content_type, name, dict(metadata or {}))

    def passages(self, passages: Iterable[Passage], *, language: str) -> None:
        """Note what search should find."""
        self.said, self.language = list(passages), language

    def result(self, **values: Any) -> None:
        """Add to the result, which must be JSON."""
        self.results |= json.loads(json.dumps(values, allow_nan=False))

    @property
    def _kept_artifacts(self) -> Path:
        return self.folder / "artifacts"

    def _check_settings(self, pipeline: Pipeline) -> None:
        wrong = complaint(self.settings, pipeline.settings_schema)
        if wrong is not None:
            raise ValueError(f"the settings do not fit the {pipeline.name} pipeline: {wrong}")

    def _check_published(self) -> None:
        for path, inode, kept in self._published:
            if path.exists() and path.stat().st_ino == inode and not filecmp.cmp(path, kept, shallow=False):
                raise ValueError(f"{path.name} was overwritten after it was published; give each file its own name")

    def _load(self, kept: Path) -> Any:
        """Give a stored value back; a file at a place of this attempt, under a name that only ends as it did."""
        file = next(path for path in kept.iterdir() if path.name != "key")
        if file.name == "value.json":
            return json.loads(file.read_text(encoding="utf-8"))
        if file.name == "value.bytes":
            return file.read_bytes()
        place = self.scratch.parent / "steps" / (kept.name + file.suffix)
        place.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, place)
        return place


def assert_resumable(
    pipeline: Pipeline, path: Path, folder: Path, *, settings: Mapping[str, Any] | None = None, **more: Any
) -> DirectoryJob:
    """Run a pipeline undisturbed, then on VMs that are taken after every single step; return the undisturbed job.

    ``more`` are further fields of ``DirectoryJob``.

    Raises:
        AssertionError: an interrupted job ran a step twice, or came to another result.
    """
    calm = DirectoryJob(path, folder / "undisturbed", settings or {}, **more)
    calm.run(pipeline)
    hurried = DirectoryJob(path, folder / "interrupted", settings or {}, **more)
    ran: list[str] = []
    for _ in calm.ran:
        if hurried.run(pipeline, leave_after=1):
            raise AssertionError(f"the job ended after steps {ran + hurried.ran}; undisturbed, it ran {calm.ran}")
        ran += hurried.ran
    hurried.run(pipeline)
    if sorted(ran + hurried.ran) != sorted(calm.ran):
        raise AssertionError(f"interrupted, steps {ran + hurried.ran} were run; undisturbed, {calm.ran}")
    for what in ("artifacts", "results", "said", "language"):
        one, other = getattr(calm, what), getattr(hurried, what)
        if one != other:
            raise AssertionError(f"{what} of the interrupted job differ: {_differing(one, other)}")
    return calm


def _keep(kept: Path, key: str, value: object) -> None:
    """Store a step's value: a folder that holds its key and one file."""
    made = kept.with_name(kept.name + ".part")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir(parents=True)
    (made / "key").write_text(key, encoding="utf-8")
    if isinstance(value, Path):
        shutil.copyfile(value, made / ("file" + value.suffix))
    elif isinstance(value, bytes):
        (made / "value.bytes").write_bytes(value)
    else:
        try:
            text = json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise TypeError(f"step {key!r} returned neither JSON, bytes nor a path: {error}") from None
        (made / "value.json").write_text(text, encoding="utf-8")
    made.rename(kept)


def _file_name(key: str, settings: Mapping[str, Any]) -> str:
    """Name a folder after a step's key and the settings, as a value may depend on both."""
    return hashlib.sha256(json.dumps([settings, key], sort_keys=True).encode()).hexdigest()[:40]


def _differing(one: Any, other: Any) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        return ", ".join(sorted(str(key) for key in one.keys() | other.keys() if one.get(key) != other.get(key)))
    return f"{one!r} and {other!r}"
