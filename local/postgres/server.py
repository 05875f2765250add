"""``spotmill local postgres``: creates the cluster on first start, then keeps one postmaster as its child."""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click

from local.postgres import leftovers
from local.postgres.binaries import program
from local.postgres.cluster import SUPERUSER, Cluster
from local.postgres.identity import Identity, choose, end_with_parent

START_SECONDS = 60.0  # crash recovery of a busy database takes a while
STOP_SECONDS = 2.5
POLL_SECONDS = 0.01

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "jit": "off",  # compiling costs more than it saves on queries this small
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}


class Stopped(BaseException):
    """Somebody asked the launcher to stop."""


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    # A second request must not interrupt the shutdown that the first one began.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped


@contextmanager
def _only_launcher(cluster: Cluster) -> Iterator[None]:
    with cluster.lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"another Postgres is already running in {cluster.data_dir}") from None
        yield


def _start(command: list[str], identity: Identity, output: int | None = None) -> subprocess.Popen[bytes]:
    launcher = os.getpid()

    def become() -> None:
        identity.assume()
        end_with_parent(launcher)  # after the change of user, which would undo it

    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        cwd="/",
        preexec_fn=become,  # noqa: PLW1509 - the launcher has one thread
    )


def _create(cluster: Cluster, identity: Identity) -> None:
    shutil.rmtree(cluster.unfinished, ignore_errors=True)
    cluster.unfinished.mkdir(mode=0o700)
    cluster.create_password()
    identity.own(cluster.unfinished)
    command = [program("initdb"), "--pgdata", str(cluster.unfinished), "--username", SUPERUSER, "--encoding", "UTF8"]
    command += ["--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--data-checksums"]
    command += ["--auth", "scram-sha-256", "--pwfile", str(cluster.password_file)]
    process = _start(command, identity, output=subprocess.PIPE)
    output, _ = process.communicate()
    if process.returncode != 0:
        raise click.ClickException(f"initdb failed in {cluster.data_dir}: {output.decode(errors='replace').strip()}")
    cluster.unfinished.rename(cluster.pgdata)


def _wait_until_ready(cluster: Cluster, postmaster: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if postmaster.poll() is not None:
            raise click.ClickException(f"Postgres ended while starting, exit status {postmaster.returncode}")
        found = cluster.postmaster()
        if found is not None and found.ready and found.pid == postmaster.pid:
            return
        time.sleep(POLL_SECONDS)
    raise click.ClickException(f"Postgres was not ready within {START_SECONDS:.0f} s")


def _shut_down(postmaster: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (clients are cut off, all is written); if that takes too long, leave the rest to the log."""
    for order, patience_seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 0.4), (signal.SIGKILL, None)):
        if postmaster.poll() is not None:
            return
        postmaster.send_signal(order)
        try:
            postmaster.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            continue


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(port: int, cluster: Cluster) -> None:
    """Serve this cluster until SIGTERM or SIGINT."""
    identity = choose(program("postgres"), cluster.pgdata)
    leftovers.clear(cluster)
    if cluster.pgdata.exists():
        if identity.uid is not None and cluster.pgdata.stat().st_uid != identity.uid:
            identity.own(cluster.pgdata)
    else:
        _create(cluster, identity)
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    postmaster = _start([program("postgres"), "-D", str(cluster.pgdata), "-p", str(port), *settings], identity)
    try:
        _wait_until_ready(cluster, postmaster)
        click.echo(f"Postgres on 127.0.0.1:{port}")
        raise click.ClickException(f"Postgres ended by itself, exit status {postmaster.wait()}")
    finally:
        _shut_down(postmaster)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="TCP port on 127.0.0.1; 0 takes a free one.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where all is kept.")
def command(port: int, data_dir: Path) -> None:
    """A real Postgres on loopback, with its data in a directory."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    cluster = Cluster(data_dir.resolve())
    try:
        cluster.data_dir.mkdir(parents=True, exist_ok=True)
        with _only_launcher(cluster):
            run(port or _free_port(), cluster)
    except Stopped:
        sys.exit(0)
    except (FileNotFoundError, PermissionError) as error:
        raise click.ClickException(str(error)) from error
