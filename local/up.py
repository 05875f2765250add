"""``spotmill up``: the whole cloud on this machine, until Ctrl-C."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import click

from local import atomic, marked, signer_key
from local.logs import Logs
from local.ports import becomes_free
from local.programs import PATIENCE_SECONDS, PYTHON, env_lines, local_environment, programs
from local.site import PROJECT, Site
from local.supervisor import Program, StartError, Supervisor

START_SECONDS = 90.0  # the first start, on a slow machine that does other things too
SHORTEN_SECONDS = 5.0
TAIL_LINES = 20
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOCK_FILE = "up.lock"
LOCAL_ENV = "local.env"


@contextmanager
def only_one(data_dir: Path) -> Iterator[IO[str]]:
    """Hold the data directory; the kernel lets go of it however this process ends.

    Raises:
        click.ClickException: another ``spotmill up`` has it; the message says which.
    """
    with (data_dir / LOCK_FILE).open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise click.ClickException(f"{data_dir} is in use{_holder(lock.read())}") from None
        yield lock


def _holder(text: str) -> str:
    try:
        said = json.loads(text)
        return f" by process {said['pid']} ({said['url']}), started {said['started']}; stop it with: kill {said['pid']}"
    except (ValueError, KeyError):
        return " by another spotmill up"


def _introduce(lock: IO[str], site: Site) -> None:
    lock.seek(0)
    lock.truncate()
    started = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    lock.write(json.dumps({"pid": os.getpid(), "url": site.web_url, "started": started}))
    lock.flush()


@contextmanager
def guarded(site: Site) -> Iterator[None]:
    """Have another process end everything should this one be killed."""
    reader, writer = os.pipe()
    command = [*PYTHON, "-m", "local.guardian", str(site.data_dir)]
    guardian = subprocess.Popen(command, stdin=reader, start_new_session=True, env=dict(os.environ))
    os.close(reader)
    try:
        yield
    finally:
        # From here on there is nothing left that an impatient Ctrl-C could make quicker.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        os.close(writer)
        guardian.wait()


class Terminal:
    """Short lines for a person: what is ready, and how long it took."""

    def __init__(self) -> None:
        encoding = sys.stdout.encoding or "ascii"
        self._tick = "✓" if "utf" in encoding.lower() else "ok"

    def ready(self, program: Program, seconds: float) -> None:
        click.echo(f"  {click.style(self._tick, fg='green')} {program.title:<20}{seconds:5.1f} s")

    def say(self, line: str) -> None:
        click.echo(f"  {line}", err=True)


async def run(site: Site, dev_user: str, lock: IO[str]) -> None:
    """Start everything, say where it is, and stop it when asked to.

    Raises:
        click.ClickException: something did not start; its last log lines have been shown.
    """
    began = time.monotonic()
    terminal, logs = Terminal(), Logs(site.data_dir / "logs")
    local_env = site.data_dir / LOCAL_ENV
    local_env.unlink(missing_ok=True)
    pids_file = site.data_dir / "pids.json"
    supervisor = Supervisor(programs(site, dev_user), PATIENCE_SECONDS, logs, pids_file, terminal.say)
    asked = _asked_to_stop(site.data_dir)
    starting = asyncio.create_task(supervisor.start(START_SECONDS, terminal.ready))
    stopping = asyncio.create_task(asked.wait())
    try:
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            atomic.write(local_env, env_lines(local_environment(site)))
            _introduce(lock, site)
            click.echo(f"Spotmill is ready ({time.monotonic() - began:.1f} s): {site.web_url}   Ctrl-C stops it.")
            await _keep_house(logs, asked)
    except StartError as error:
        for line in logs.tail(error.program.name, TAIL_LINES):
            terminal.say(line)
        raise click.ClickException(f"{error}. All of its log: {logs.of(error.program.name)}") from error
    finally:
        starting.cancel()
        stopping.cancel()
        await asyncio.gather(starting, stopping, return_exceptions=True)
        ended = time.monotonic()
        click.echo("Stopping")
        await supervisor.stop()
        local_env.unlink(missing_ok=True)
        click.echo(f"Stopped ({time.monotonic() - ended:.1f} s)")


def _check_port(port: int) -> None:
    try:
        usable = port == 0 or becomes_free(port)
    except PermissionError:
        raise click.ClickException(f"you may not listen on port {port}; choose one from 1024 with --port") from None
    if not usable:
        raise click.ClickException(f"port {port} is in use; choose another one with --port, or 0 for any")


def _asked_to_stop(data_dir: Path) -> asyncio.Event:
    """Listen for Ctrl-C and its relatives; the second one ends everything at once."""
    asked = asyncio.Event()

    def heard() -> None:
        if asked.is_set():
            marked.kill(data_dir)
            os._exit(130)
        asked.set()

    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, heard)
    return asked


async def _keep_house(logs: Logs, asked: asyncio.Event) -> None:
    while not asked.is_set():
        logs.shorten()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asked.wait(), SHORTEN_SECONDS)


@click.command()
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".data"),
    show_default=True,
    help="Where everything is kept; it is made if it is missing.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Of the web page; 0 takes any."
)
@click.option("--max-workers", type=click.IntRange(1, 64), default=2, show_default=True, help='Most "VMs" at once.')
@click.option(
    "--dev-user",
    envvar="SPOTMILL_DEV_USER",
    default="you@localhost",
    show_default=True,
    help="Who is signed in to the web page.",
)
@click.option(
    "--cable", is_flag=True, help="Have services reach Postgres through a cable that can be cut (docs/faults.md)."
)
def command(data_dir: Path, port: int, max_workers: int, dev_user: str, cable: bool) -> None:
    """Starts the whole of Spotmill on this machine, and stops it on Ctrl-C."""
    data_dir = data_dir.resolve()
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"the data directory {data_dir} cannot be made: {error.strerror}") from None
    if not os.access(data_dir, os.W_OK):
        raise click.ClickException(f"you may not write into the data directory {data_dir}")
    with only_one(data_dir) as lock:
        left = marked.kill(data_dir)
        if left:
            click.echo(f"Ended {left} process(es) that an earlier start left behind")
        _check_port(port)
        site = Site.open(data_dir, web_port=port, max_workers=max_workers, cable=cable)
        _introduce(lock, site)
        signer_key.ensure(site.signer_key, PROJECT)
        click.echo(f"Starting Spotmill in {data_dir}")
        with guarded(site):
            asyncio.run(run(site, dev_user, lock))
