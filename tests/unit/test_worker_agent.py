"""Parts of the agent that need no cloud: files of a hostile child, one ending for each job, room, names of steps."""

import os
import queue
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared.jobs import Claim
from shared.settings import WorkerSettings
from tests.cloud import wait_for
from worker import scratch
from worker.child.messages import Done, Limits
from worker.holding import AbandonedError, Fenced, Held, Holding, Released, clean
from worker.pace import Pace
from worker.process import ChildProcess, environment, limits
from worker.scratch import ForeignFileError, Rooms, Scratch
from worker.steps import step_id


def claim(**changed: Any) -> Claim:
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "attempt": 1,
        "bucket": "uploads",
        "object": "a/../b?.txt",
        "generation": 1,
        "pipeline": "trial",
        "size_bytes": 1,
        "content_type": "text/plain",
        "crc32c": None,
        "owner": None,
        "settings": {},
        "failures": 0,
        "waited_seconds": 0.0,
    }
    return Claim(**values | changed)


def held(**changed: Any) -> Held:
    return Held(claim(**changed), "ack", structlog.get_logger())


@pytest.fixture
def files(tmp_path: Path) -> Scratch:
    """The directories of one attempt."""
    made = Scratch(Rooms(tmp_path, uid=None, gid=None), claim())
    made.create()
    return made


def test_opens_the_childs_files(files: Scratch) -> None:
    """The agent opens plain files of the work directory, also in folders."""
    (Path(files.work) / "folder").mkdir()
    (Path(files.work) / "folder" / "file").write_text("mine")
    with files.open("folder/file") as file:
        assert file.read() == b"mine"


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/etc/passwd", "a//b", "link", "folder-link/passwd", "folder", "pipe", "missing", "a/../b"],
)
def test_opens_nothing_else(files: Scratch, name: str) -> None:
    """Links, pipes, folders and everything outside are refused, without waiting."""
    (Path(files.work) / "link").symlink_to("/etc/passwd")
    (Path(files.work) / "folder-link").symlink_to("/etc")
    (Path(files.work) / "folder").mkdir()
    os.mkfifo(Path(files.work) / "pipe")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(ForeignFileError):
        files.open(name)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of others")
def test_opens_no_file_of_another_user(tmp_path: Path) -> None:
    """A child with a user of its own cannot name a file that belongs to somebody else."""
    made = Scratch(Rooms(tmp_path, uid=12345, gid=12345), claim())
    made.create()
    assert Path(made.work).stat().st_uid == 12345
    (Path(made.work) / "file").write_text("root's")
    with pytest.raises(ForeignFileError, match="not a file of this job"):
        made.open("file")


def test_an_empty_room_is_used_again(tmp_path: Path) -> None:
    """A directory that a job left empty serves the next one; one that was used is deleted."""
    rooms = Rooms(tmp_path, uid=None, gid=None)
    first, second = rooms.take(), rooms.take()
    assert first != second
    (Path(first) / "file").write_text("left")
    rooms.give(first, again=True)
    rooms.give(second, again=True)
    assert not Path(first).exists()
    assert rooms.take() == second
    rooms.give(second, again=False)  # a child that was killed may still have it
    assert not Path(second).exists()
    assert rooms.take() not in (first, second)


def test_scratch_goes_away(files: Scratch, tmp_path: Path) -> None:
    """Nothing is left of an attempt, and an agent that starts finds nothing of the one before it."""
    files.source().write_text("source")
    files.stored("step", "x.txt").write_text("stored")
    (Path(files.work) / "file").write_text("work")
    assert files.source().name == "b_.txt"
    files.remove(again=True)
    assert list(tmp_path.iterdir()) == []
    root = scratch.root(str(tmp_path), "vm-1")
    (root / "old").mkdir()
    assert scratch.root(str(tmp_path), "vm-1") == root
    assert list(root.iterdir()) == []


def test_a_directory_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    """The name is known to everybody: what somebody else put there could lead anywhere."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"spotmill-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="SPOTMILL_SCRATCH_DIR"):
        scratch.root(str(tmp_path), "vm-1")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_one_ending() -> None:
    """Of many threads that decide how a job ends, one does; the others hear that it was decided."""
    job = held()
    start = threading.Barrier(8)
    won: list[bool] = []

    def decide() -> None:
        start.wait()
        won.append(job.end(Released("x")))

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]
    with pytest.raises(AbandonedError):
        job.check()


@pytest.mark.parametrize(
    ("fraction", "stage", "expected"),
    [
        (0.5, "x", (0.5, "x")),
        (-1, "", (0, "")),
        (7, "a\x00b\ud800", (1, "ab?")),
        (float("nan"), "y" * 300, (0, "y" * 200)),
    ],
)
def test_progress_of_any_kind(fraction: float, stage: str, expected: tuple[float, str]) -> None:
    """Whatever a child says of its progress, what is written is fit for the database."""
    job = held()
    job.advance(fraction, stage)
    assert (job.renewal.progress, job.renewal.stage) == expected


def test_standing_still() -> None:
    """Saying the same again is no movement."""
    job = held()
    job.advance(0.5, "x")
    job.moved, job.changed = 0, False
    job.advance(0.5, "x")
    assert (job.moved, job.changed) == (0, False)
    job.advance(0.6, "x")
    assert job.moved > 0
    assert job.changed


def test_empty_failure() -> None:
    """A failure always says something."""
    assert held().failure("\x00").error == "The pipeline failed."
    assert clean("a" * 5, 3) == "aaa"


def test_room() -> None:
    """There is room for as many jobs as slots wait, and no longer when finished ones pile up."""
    holding = Holding(2, ahead_seconds=0.1)
    assert holding.room(0) == 0
    taken: queue.SimpleQueue[Held] = queue.SimpleQueue()

    def take() -> None:
        taken.put(holding.take())

    slots = [threading.Thread(target=take) for _ in range(2)]
    for slot in slots:
        slot.start()
    wait_for(lambda: holding.room(0) == 2)
    jobs = [held(), held()]
    holding.add(jobs)
    assert {taken.get(timeout=10) for _ in slots} == set(jobs)
    assert holding.room(0) == 0
    while len(holding) < 8:  # the slots are quicker than the database
        holding.add([held()])
        holding.take()
    slot = threading.Thread(target=take)
    slot.start()
    assert holding.room(0.05) == 0
    holding.remove(jobs)
    wait_for(lambda: holding.room(0) == 1)
    assert not holding.wait_empty(0)
    holding.remove(holding.all())
    assert holding.wait_empty(0)
    holding.add([held()])
    slot.join(10)


def test_what_waits_is_given_back() -> None:
    """A job that was claimed ahead is listed while no slot has it, and one that has its ending is never begun."""
    holding = Holding(1, ahead_seconds=0.1)
    over, waits = held(), held()
    holding.add([over, waits])
    assert holding.waiting() == [over, waits]
    assert holding.waiting(60) == []
    over.end(Fenced())
    assert holding.waiting() == [waits]
    assert holding.take() is waits
    assert holding.waiting() == []


def test_pace() -> None:
    """Only after many tiny jobs in a row are jobs claimed ahead, and one long job ends that."""
    pace = Pace(8, ahead_seconds=0.1)
    assert pace.ahead == 0
    for _ in range(100):
        pace.note(0.004)
    assert 150 <= pace.ahead <= 200
    pace.note(60)
    assert pace.ahead == 0
    for _ in range(20):
        pace.note(0.004)
    assert pace.ahead == 0
    for _ in range(100):
        pace.note(0)
    assert pace.ahead == 256
    never = Pace(8, ahead_seconds=0)
    for _ in range(100):
        never.note(0.001)
    assert never.ahead == 0


def test_step_names() -> None:
    """A step is another one as soon as anything differs that its value may depend on."""
    names = {
        step_id("p", "1", {}, "k"),
        step_id("q", "1", {}, "k"),
        step_id("p", "2", {}, "k"),
        step_id("p", "1", {"a": 1}, "k"),
        step_id("p", "1", {}, "l"),
    }
    assert len(names) == 5
    assert step_id("p", "1", {"a": 1, "b": 2}, "k") == step_id("p", "1", {"b": 2, "a": 1}, "k")


def test_environment_is_bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child inherits what programs need, and nothing that could be a secret."""
    for name in ("DATABASE_URL", "SPOTMILL_X", "GOOGLE_APPLICATION_CREDENTIALS", "STORAGE_EMULATOR_HOST", "MY_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    seen = environment(3)
    assert "secret" not in seen.values()
    assert seen["LC_ALL"] == "C.UTF-8"
    assert seen["GCE_METADATA_HOST"] == "127.0.0.1:1"
    assert seen["ORT_DISABLE_TELEMETRY"] == "1"


def test_children_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each slot has its share of them; the operator's word goes before, in a setting or in the environment."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    settings = WorkerSettings(
        project="p", database_url="postgresql+pg8000://x", upload_bucket="u", result_bucket="r", child_user=None
    )
    shares = [limits(settings.model_copy(update={"worker_slots": slots})).threads for slots in (1, 3, 16)]
    assert shares == [8, 2, 1]
    allowed = limits(settings.model_copy(update={"worker_slots": 3, "child_threads": 5}))
    assert environment(allowed.threads)["OMP_NUM_THREADS"] == "5"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for name in ("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE"):  # which would decide what comes out
        monkeypatch.setenv(name, "7")
    given = environment(allowed.threads)
    assert (given["OMP_NUM_THREADS"], given["OPENBLAS_NUM_THREADS"]) == ("7", "1")
    assert "OPENBLAS_CORETYPE" not in given


LIMITS = Limits(parent=os.getpid(), memory_bytes=8 * 1024**3, file_bytes=1024**2, open_files=256)


def test_child_starts_and_dies(tmp_path: Path) -> None:
    """A child loads the installed pipelines, runs a job of one that is not there, and goes when its job is ended."""
    child = ChildProcess(LIMITS)
    ready = child.await_ready(60)
    assert ready is not None
    assert "image" in {offered.name for offered in ready.offered}
    job = held()
    job.enter(child)
    assert job.end(Fenced())
    assert child.hear() is None
    assert child.close() == -9
    with pytest.raises(AbandonedError):
        job.enter(child)


def test_child_ends_with_its_agent() -> None:
    """A child whose agent is not the one that it was started by refuses to serve."""
    child = ChildProcess(Limits(parent=1, memory_bytes=8 * 1024**3, file_bytes=1024**2, open_files=256))
    assert child.await_ready(60) is None
    assert child.close() == 1


def others_may_read(folder: Path) -> bool:
    """Tell whether every user can reach a folder."""
    return all(parent.stat().st_mode & 0o005 == 0o005 for parent in (folder, *folder.parents))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can change users")
@pytest.mark.skipif(
    not all(others_may_read(Path(folder).resolve()) for folder in (sys.base_prefix, sys.prefix)),
    reason="this Python lies where other users cannot read it",
)
def test_child_has_its_own_user() -> None:
    """With a user of its own, a child is that user and nothing else."""
    child = ChildProcess(Limits(os.getpid(), 8 * 1024**3, 1024**2, 256, uid=65534, gid=65534))
    try:
        assert child.await_ready(60) is not None
        status = Path(f"/proc/{child.pid}/status").read_text()
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {"65534"}
        assert fields["Groups"].strip() == ""
        assert int(fields["CapEff"], 16) == 0
        assert fields["NoNewPrivs"] == "1"
    finally:
        child.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become an ordinary user")
def test_an_ordinary_user_leaves_the_network_without_gaining_anything() -> None:
    """The namespace that takes the network away gives no capability, and leaves the user who they are."""
    program = """
import ctypes, os
from pathlib import Path
from worker.child import sandbox
os.setgid(65534), os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a change of user takes away
offline = sandbox._leave_network()
status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\\t" in line)
interfaces = [line.split(":")[0].strip() for line in Path("/proc/self/net/dev").read_text().splitlines()[2:]]
print(offline, os.geteuid(), int(status["CapEff"], 16) | int(status["CapPrm"], 16), interfaces == ["lo"])
"""
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert said[1:3] == ["65534", "0"]
    if said[0] == "True":  # where the system allows it
        assert said[3] == "True"


def test_unknown_messages_are_errors() -> None:
    """The agent reads a child's message only if it is one."""
    program = "import worker.process as p; print(p._said.validate_json(b'%s'))"
    done = subprocess.run(
        [sys.executable, "-c", program % '{"type":"done","result":[]}'], check=False, capture_output=True, text=True
    )
    assert "ValidationError" in done.stderr
    assert Done({}).type == "done"
