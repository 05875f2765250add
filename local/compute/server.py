"""``spotmill local compute``: serves the Compute API of one instance group and runs its machines."""

import asyncio
import fcntl
import logging
import shlex
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from aiohttp import web

from local.compute import orphans
from local.compute.api import application
from local.compute.group import Group
from local.compute.housekeeping import keep_house
from local.compute.settings import Settings, read_environment
from local.compute.store import Store

SHUTDOWN_SECONDS = 2.2  # Spotmill has 5 s to be gone, this server about 3


@contextmanager
def only_server(data_dir: Path) -> Iterator[None]:
    """Hold this directory; two servers would run every machine twice."""
    with (data_dir / "compute.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"another Compute server is already running in {data_dir}") from None
        yield


async def serve(settings: Settings, port: int) -> None:
    """Until SIGTERM or SIGINT; then no process of any machine is left."""
    store = Store(settings.data_dir / "compute.sqlite")
    others = [name for name in store.groups() if name != settings.group]
    if others:
        raise click.ClickException(f"{settings.data_dir} holds the group {others[0]}; take another --data-dir")
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    orphans.become_their_parent()
    group = Group(settings, store)
    runner = web.AppRunner(application(group), access_log=None, shutdown_timeout=0.2)
    try:
        await group.open()
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        house = asyncio.create_task(keep_house(group))
        click.echo(f"Compute on http://127.0.0.1:{runner.addresses[0][1]}")
        await stop.wait()
        house.cancel()
    finally:
        await runner.cleanup()  # first, so that nobody changes a group that is closing
        await group.close(SHUTDOWN_SECONDS)


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="TCP port on 127.0.0.1; 0 takes a free one.")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), required=True, help="Where all is kept.")
@click.option("--project", required=True, help="Project id.")
@click.option("--region", required=True, help="Such as europe-west4.")
@click.option("--group", required=True, help="Name of the regional managed instance group.")
@click.option("--max-size", type=click.IntRange(0), required=True, help="The quota: no more machines run at once.")
@click.option("--vm-command", required=True, help="What a machine runs: a program and its arguments.")
@click.option("--vm-env-file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="KEY=VALUE lines.")
@click.option("--machine-type", default="e2-standard-2", show_default=True, help="Only shown.")
@click.option(
    "--preemption-notice-seconds",
    envvar="SPOTMILL_PREEMPTION_NOTICE_SECONDS",  # the workers' setting: what the template asks for, both must know
    type=click.FloatRange(0),
    default=30,
    show_default=True,
    help="SIGTERM to SIGKILL.",
)
@click.option(
    "--shutdown-seconds", type=click.FloatRange(0), default=90, show_default=True, help="The same after a deletion."
)
def command(
    *,
    port: int,
    data_dir: Path,
    project: str,
    region: str,
    group: str,
    max_size: int,
    vm_command: str,
    vm_env_file: Path | None,
    machine_type: str,
    preemption_notice_seconds: float,
    shutdown_seconds: float,
) -> None:
    """One managed instance group whose spot VMs are processes, for the real Compute clients."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    words = tuple(shlex.split(vm_command))
    if not words:
        raise click.UsageError("--vm-command is empty")
    try:
        environment = read_environment(vm_env_file) if vm_env_file else {}
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    data_dir.mkdir(parents=True, exist_ok=True)
    settings = Settings(
        data_dir=data_dir.resolve(),
        project=project,
        region=region,
        group=group,
        max_size=max_size,
        command=words,
        environment=environment,
        machine_type=machine_type,
        preemption_notice_seconds=preemption_notice_seconds,
        shutdown_seconds=shutdown_seconds,
    )
    try:
        with only_server(settings.data_dir):
            asyncio.run(serve(settings, port))
    except OSError as error:
        raise click.ClickException(f"cannot serve on port {port}: {error.strerror}") from error
