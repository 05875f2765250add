"""``spotmill.testing``: what a worker would not let pass, an author's tests do not let pass either."""

from pathlib import Path
from typing import Any

import pytest

from spotmill import Job, Passage, Pipeline, pipeline
from spotmill.testing import DirectoryJob, assert_resumable


def made(run: Any) -> Pipeline:
    return pipeline("trial", accepts=())(run)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.txt"
    path.write_text("three\nlines\nhere\n")
    return path


def test_a_step_runs_once_and_its_value_comes_back_as_json(tmp_path: Path, source: Path) -> None:
    """The first attempt already gets what JSON makes of a value; the second one does not run the step."""
    calls = []

    def first() -> tuple[int, int]:
        calls.append(1)
        return (1, 2)

    def run(job: Job) -> None:
        job.result(value=job.step("first", first), again=job.step("second", str, 7))

    job = DirectoryJob(source, tmp_path / "job")
    assert not job.run(made(run), leave_after=1)
    assert job.run(made(run))
    assert (job.ran, job.recalled, calls) == (["second"], ["first"], [1])
    assert job.results == {"value": [1, 2], "again": "7"}


def test_a_file_comes_back_at_another_place(tmp_path: Path, source: Path) -> None:
    """A later attempt has an empty scratch directory, and the file elsewhere; only its ending is the same."""
    seen: list[Path] = []

    def draw(scratch: Path) -> Path:
        path = scratch / "drawing.svg"
        path.write_text("<svg/>")
        return path

    def run(job: Job) -> None:
        assert not list(job.scratch.iterdir())
        seen.append(job.step("draw", draw, job.scratch))
        assert seen[-1].read_text() == "<svg/>"
        job.step("then", bytes, 3)

    job = DirectoryJob(source, tmp_path / "job")
    assert not job.run(made(run), leave_after=2)
    assert job.run(made(run))
    first, second = seen
    assert first.name == "drawing.svg" != second.name
    assert second.suffix == ".svg"
    assert not first.exists(), "what an attempt leaves in its scratch directory is gone"


def test_what_an_interrupted_attempt_published_does_not_count(tmp_path: Path, source: Path) -> None:
    """Only the attempt that ended has artifacts, results and passages."""

    def run(job: Job) -> None:
        if not job.step("known", bool):
            job.artifact(f"part-{len(job.scratch.parts)}", b"", content_type="text/plain")
            job.passages([Passage(0, 1, "words")], language="en")
        job.step("end", int)

    job = DirectoryJob(source, tmp_path / "job")
    assert not job.run(made(run), leave_after=2)
    assert job.run(made(run))
    assert len(job.artifacts) == len(job.said) == 1


def unserialisable(job: Job) -> None:
    job.step("set", set)


def twice(job: Job) -> None:
    job.step("one", int)
    job.step("one", int)


def two_of_a_kind(job: Job) -> None:
    job.artifact("text", b"", content_type="text/plain")
    job.artifact("text", b"", content_type="text/plain")


def no_kind(job: Job) -> None:
    job.artifact("my text", b"", content_type="text/plain")


def overwritten(job: Job) -> None:
    path = job.scratch / "text"
    for number in range(2):
        path.write_bytes(b"x" * (number + 1))
        job.artifact(f"text-{number}", path, content_type="text/plain")


def not_json(job: Job) -> None:
    job.result(value=float("nan"))


@pytest.mark.parametrize(
    ("run", "complaint"),
    [
        (unserialisable, "step 'set' returned neither JSON, bytes nor a path"),
        (twice, "step 'one' was already used"),
        (two_of_a_kind, "an artifact of kind 'text' already"),
        (no_kind, "'my text' is no kind of artifact"),
        (overwritten, "text was overwritten after it was published"),
        (not_json, "Out of range float values"),
    ],
)
def test_mistakes_are_told_to_the_author(tmp_path: Path, source: Path, run: Any, complaint: str) -> None:
    """What would fail on a worker fails here."""
    with pytest.raises((TypeError, ValueError), match=complaint):
        DirectoryJob(source, tmp_path / "job").run(made(run))


def test_a_pipeline_that_depends_on_its_memory_is_found_out(tmp_path: Path, source: Path) -> None:
    """A counter that only steps raise is wrong after an interruption."""

    def run(job: Job) -> None:
        lines: list[str] = []
        for number, line in enumerate(job.download().read_text().splitlines()):
            job.step(f"line-{number}", lines.append, line)
        job.result(lines=lines)

    with pytest.raises(AssertionError, match="results of the interrupted job differ: lines"):
        assert_resumable(made(run), source, tmp_path)


def test_a_pipeline_whose_steps_change_their_keys_is_found_out(tmp_path: Path, source: Path) -> None:
    """A key that names the attempt's directory is another one in the next attempt, and the step runs again."""

    def run(job: Job) -> None:
        job.step(f"{job.scratch}", int)
        job.step("end", int)

    with pytest.raises(AssertionError, match="interrupted, steps"):
        assert_resumable(made(run), source, tmp_path)
