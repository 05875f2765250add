"""The child's side: what a pipeline may do with its job, and how what it raises is told to the agent."""

import errno
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from spotmill import Job, LanguageModelError, ModelError, Passage, PermanentError, RetryableError, pipeline
from spotmill.pipeline import Pipeline
from worker.child import installed, runner
from worker.child.job import ChildJob, LeaveError
from worker.child.line import Line
from worker.child.messages import (
    Answered,
    Fetch,
    Fetched,
    Loaded,
    Recall,
    Recalled,
    Refused,
    Run,
    Stop,
    Store,
    Stored,
    Told,
    encode,
)


class Agent:
    """The other end of the line: notes what the child says, and answers as it is told to."""

    def __init__(self, end: socket.socket, answer: Callable[[dict[str, Any]], Told | None], folder: Path) -> None:
        self.heard: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self._folder = folder
        self._end = end
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with self._end, self._end.makefile("rb") as reader:
            for line in reader:
                said = json.loads(line)
                self.heard.append(said)
                if "file" in said:
                    self.files[said["file"]] = (self._folder / said["file"]).read_bytes()
                if (answer := self._answer(said)) is not None:
                    self._end.sendall(encode(answer))

    def kinds(self) -> list[str]:
        """Return the types of what was said, when all of it has arrived."""
        self._thread.join(5)
        return [said["type"] for said in self.heard]


def obliging(said: dict[str, Any]) -> Told | None:
    """Answer as an agent does for a first attempt."""
    answers: dict[str, Told] = {
        Recall.__name__.lower(): Recalled(),
        Store.__name__.lower(): Stored(),
        Fetch.__name__.lower(): Fetched("/somewhere/file.bin"),
    }
    return answers.get(said["type"])


@contextmanager
def job_for(
    scratch: Path,
    answer: Callable[[dict[str, Any]], Told | None] = obliging,
    language_model: dict[str, Any] | None = None,
) -> Iterator[tuple[ChildJob, Agent]]:
    ours, theirs = socket.socketpair()
    agent = Agent(ours, answer, scratch)
    line = Line(theirs.detach())
    run = Run("trial", "uploads", "a/file.bin", 7, 3, "application/x-trial", {"depth": 2}, str(scratch), language_model)
    try:
        yield ChildJob(run, line), agent
    finally:
        line._reader.close()
        line._socket.close()


def test_source(tmp_path: Path) -> None:
    """The job says what it is for, and asks for the source once."""
    with job_for(tmp_path) as (job, agent):
        assert job.source.uri == "gs://uploads/a/file.bin#7"
        assert job.source.filename == "file.bin"
        assert job.settings == {"depth": 2}
        assert job.download() == job.download() == Path("/somewhere/file.bin")
    assert agent.kinds() == ["fetch"]


@pytest.mark.parametrize(
    ("value", "again"), [({"a": (1, 2)}, {"a": [1, 2]}), (None, None), ("ü", "ü"), (b"\x00\xff", b"\x00\xff")]
)
def test_step_stores_values(tmp_path: Path, value: object, again: object) -> None:
    """A step returns at once what a later attempt would get from the store."""
    with job_for(tmp_path) as (job, agent):
        assert job.step("key", lambda: value) == again
    assert agent.kinds() == ["recall", "store"]
    stored = agent.heard[1]
    content = agent.files[stored["file"]]
    assert (json.loads(content) if stored["form"] == "json" else content) == again


def test_step_stores_files(tmp_path: Path) -> None:
    """The file of a step is stored as it was, whatever the pipeline does with it afterwards."""
    with job_for(tmp_path) as (job, agent):

        def make(text: str, *, ending: str) -> Path:
            path = tmp_path / f"made{ending}"
            path.write_text(text)
            return path

        path = job.step("file", make, "text", ending=".txt")
        path.unlink()
    stored = agent.heard[1]
    assert (stored["form"], stored["filename"]) == ("file", "made.txt")
    assert agent.files[stored["file"]] == b"text"
    assert not list((tmp_path / ".spotmill").iterdir()), "what is stored takes no room on the disk"


def test_step_recalled(tmp_path: Path) -> None:
    """A stored step is not run again."""
    (tmp_path / "one").write_text('{"one": 1}')
    (tmp_path / "two").write_bytes(b"two")
    stored = {
        "one": Recalled(str(tmp_path / "one")),
        "two": Recalled(str(tmp_path / "two"), "bytes"),
        "three": Recalled(str(tmp_path / "two"), "file"),
    }

    def never() -> object:
        raise AssertionError("this step is stored")

    with job_for(tmp_path, lambda said: stored[said["key"]]) as (job, _):
        assert job.step("one", never) == {"one": 1}
        assert job.step("two", never) == b"two"
        assert job.step("three", never) == tmp_path / "two"


def test_first_writer_wins(tmp_path: Path) -> None:
    """If another attempt stored the step meanwhile, its value counts."""
    (tmp_path / "theirs").write_text('"theirs"')
    answers: dict[str, Told] = {"recall": Recalled(), "store": Stored(str(tmp_path / "theirs"))}
    with job_for(tmp_path, lambda said: answers[said["type"]]) as (job, _):
        assert job.step("key", lambda: "ours") == "theirs"


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan")])
def test_step_refuses_other_values(tmp_path: Path, value: object) -> None:
    """A step that returns what cannot be stored is a mistake of the pipeline's author, who is told which."""
    with job_for(tmp_path) as (job, _), pytest.raises(TypeError, match="step 'key' returned neither"):
        job.step("key", lambda: value)


def test_step_key_is_unique(tmp_path: Path) -> None:
    """Using a key twice is refused: the second step would get the value of the first."""
    with job_for(tmp_path) as (job, _):
        job.step("key", lambda: 1)
        with pytest.raises(ValueError, match="'key' was already used"):
            job.step("key", lambda: 2)


def test_model(tmp_path: Path) -> None:
    """A model is a path and an id; where there is none, the pipeline hears why."""
    with job_for(tmp_path, lambda _: Loaded("/models/small", "abc")) as (job, agent):
        assert (job.model("small").path, job.model("small").id) == (Path("/models/small"), "abc")
    assert agent.heard[0] == {"type": "load", "name": "small"}
    with job_for(tmp_path, lambda _: Refused("It is away.")) as (job, _), pytest.raises(ModelError, match="away"):
        job.model("small")


def test_hosted_model(tmp_path: Path) -> None:
    """A question goes to the agent, which knows the key; its answer comes back as text, or as an error."""
    (tmp_path / "answer").write_text('{"word": "hello"}')
    answers: list[Told] = [Answered(str(tmp_path / "answer")), Refused("Too many questions.", retryable=False)]
    hosted = {"engine": "openai", "model": "small", "window_tokens": 8000}
    with job_for(tmp_path, lambda _: answers.pop(0), language_model=hosted) as (job, agent):
        model = job.language_model
        assert model is not None
        assert (model.engine, model.model, model.window_tokens) == ("openai", "small", 8000)
        assert model.complete("Be short.", "Say hello.", {"type": "object"}) == '{"word": "hello"}'
        with pytest.raises(LanguageModelError, match="Too many") as caught:
            model.complete("Be short.", "Say hello.", {"type": "object"})
        assert not caught.value.retryable
    asked = json.loads(agent.files[agent.heard[0]["file"]])
    assert asked == {"system": "Be short.", "prompt": "Say hello.", "schema": {"type": "object"}}


def test_no_hosted_model(tmp_path: Path) -> None:
    """Nobody can be asked unless the operator has chosen somebody."""
    with job_for(tmp_path) as (job, _):
        assert job.language_model is None


def test_passages(tmp_path: Path) -> None:
    """Any number of passages is handed over in one file."""
    with job_for(tmp_path) as (job, agent):
        job.passages((Passage(n, n + 1, "word " * 10, "S1") for n in range(20_000)), language="en")
    assert agent.kinds() == ["index"]
    said = json.loads(agent.files[agent.heard[0]["file"]])
    assert (len(said), agent.heard[0]["language"]) == (20_000, "en")
    assert said[1] == {"start": 1, "end": 2, "text": "word " * 10, "speaker": "S1"}


def test_told_to_stop(tmp_path: Path) -> None:
    """A pipeline cannot take the order to stop for a failure of its own."""

    def careless(job: ChildJob) -> None:
        try:
            job.step("key", lambda: 1)
        except Exception:  # noqa: BLE001 - what a careless pipeline does
            pytest.fail("it was caught")

    with job_for(tmp_path, lambda _: Stop()) as (job, _), pytest.raises(LeaveError):
        careless(job)


def test_progress_is_throttled(tmp_path: Path) -> None:
    """A pipeline may tell its progress as often as it likes; a new stage is told at once."""
    with job_for(tmp_path) as (job, agent):
        started = time.monotonic()
        for n in range(1000):
            job.progress(n / 1000, "one")
        job.progress(2, "two")
        seconds = time.monotonic() - started
    agent.kinds()
    assert len(agent.heard) <= 3 + seconds / 0.1
    assert agent.heard[-1] == {"type": "progress", "fraction": 1.0, "stage": "two"}


def test_artifacts(tmp_path: Path) -> None:
    """An artifact has a kind of its own, a file name, and the content it had when it was published."""
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with job_for(scratch) as (job, agent):
        job.artifact("thumbnail", b"bytes", content_type="image/png", metadata={"width": 1})
        job.artifact("text", outside, content_type="text/plain", filename="my text.txt")
        outside.unlink()
        with pytest.raises(ValueError, match="has an artifact of kind 'text' already"):
            job.artifact("text", b"", content_type="text/plain")
        with pytest.raises(ValueError, match="is no kind of artifact"):
            job.artifact("a/b", b"", content_type="text/plain")
        with pytest.raises(FileNotFoundError):
            job.artifact("gone", outside, content_type="text/plain")
    agent.kinds()
    assert [(s["kind"], s["filename"]) for s in agent.heard] == [
        ("thumbnail", "thumbnail.png"),
        ("text", "my text.txt"),
    ]
    assert [(scratch / s["file"]).read_bytes() for s in agent.heard] == [b"bytes", b"outside"]


def test_result_must_be_json(tmp_path: Path) -> None:
    """A result that is not JSON is refused where the pipeline gives it."""
    with job_for(tmp_path) as (job, _):
        job.result(a=1)
        job.result(b=[2])
        with pytest.raises(TypeError):
            job.result(c=object())
        with pytest.raises(ValueError, match="not JSON compliant"):
            job.result(c=float("inf"))
        assert job.results == {"a": 1, "b": [2]}


def run_one(run: Callable[[Job], None], scratch: Path, **settings: Any) -> dict[str, Any]:
    """Run a pipeline as the child does; return the last thing it says."""
    made = pipeline("trial", accepts=(), settings_schema={"type": "object", "maxProperties": 1})(run)
    ours, theirs = socket.socketpair()
    line = Line(theirs.detach())
    told = Run("trial", "uploads", "a/file.bin", 7, 3, "text/plain", settings, str(scratch))
    said = runner._run(told, line, {"trial": made}, {"broken": "ImportError: no luck"})
    ours.close()
    line._reader.close()
    line._socket.close()
    fields: dict[str, Any] = json.loads(encode(said))
    fields.pop("details", None)
    return fields


def raising(error: BaseException) -> Callable[[Job], None]:
    def run(_job: Job) -> None:
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "said", "permanent"),
    [
        (PermanentError("No song."), "No song.", True),
        (RetryableError("Busy."), "Busy.", False),
        (MemoryError(), "The pipeline ran out of memory.", False),
        (OSError(errno.ENOSPC, "no space"), "The worker's disk is full.", False),
        (KeyError("x"), "The trial pipeline failed: KeyError: 'x'", False),
        (ValueError("a\nb"), "The trial pipeline failed: ValueError: a", False),
        (ZeroDivisionError(), "The trial pipeline failed: ZeroDivisionError.", False),
        (SystemExit(3), "The trial pipeline failed: SystemExit: 3", False),
    ],
)
def test_failures(tmp_path: Path, error: BaseException, said: str, *, permanent: bool) -> None:
    """Whatever a pipeline raises becomes a sentence, and only what it calls permanent is."""
    assert run_one(raising(error), tmp_path) == {"type": "failed", "error": said, "permanent": permanent}


def test_success_and_settings(tmp_path: Path) -> None:
    """A pipeline that returns is done; one whose settings do not fit its schema is never called."""
    assert run_one(lambda job: job.result(depth=job.settings["depth"]), tmp_path, depth=1) == {
        "type": "done",
        "result": {"depth": 1},
    }
    assert run_one(raising(AssertionError("called")), tmp_path, a=1, b=2)["permanent"] is True


def test_stopped(tmp_path: Path) -> None:
    """A pipeline that was told to stop is neither done nor failed."""
    assert run_one(raising(LeaveError()), tmp_path) == {"type": "stopped"}


def test_broken_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that cannot be imported is named with the reason, and the others are there."""

    class Entry:
        def __init__(self, name: str, loaded: object) -> None:
            self.name = self.value = name
            self.extras: list[str] = []
            self._loaded = loaded

        def load(self) -> object:
            if isinstance(self._loaded, Exception):
                raise self._loaded
            return self._loaded

    good = Pipeline("good", (), lambda _: None)
    entries = [Entry("bad", ImportError("no libsox")), Entry("good", good), Entry("other", print)]
    monkeypatch.setattr(installed, "entry_points", lambda group: entries if group == "spotmill.pipelines" else [])
    found, broken = installed.load_pipelines()
    assert found == {"good": good}
    assert broken == {"bad": "ImportError: no libsox", "other": "other is not made by @pipeline"}


def test_missing_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline whose extra is not installed is left out, and no error: this worker was not made for it."""
    info = tmp_path / "half-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: half\nVersion: 1\nProvides-Extra: there\nProvides-Extra: far\n"
        "Requires-Dist: pytest; extra == 'there'\nRequires-Dist: no-package-of-this-name; extra == 'far'\n"
    )
    (info / "entry_points.txt").write_text(
        "[spotmill.pipelines]\nwhole = half:whole [there]\nother = half:other [far]\nplain = half:plain\n"
    )
    (tmp_path / "half.py").write_text(
        "from spotmill import pipeline\n"
        "whole, other, plain = (pipeline(n, accepts=())(lambda job: None) for n in ('whole', 'other', 'plain'))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    found, broken = installed.load_pipelines()
    assert {"whole", "plain"} <= set(found)
    assert "other" not in found
    assert not broken
