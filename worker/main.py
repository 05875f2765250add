"""``spotmill worker``: the agent of one VM."""

import sys

import click

from shared import logging
from shared.settings import SettingsError, WorkerSettings, load


@click.command()
def command() -> None:
    """Work through the queue on this VM until it is taken away."""
    try:
        settings = load(WorkerSettings)
    except SettingsError as error:
        raise click.ClickException(f"The worker cannot start. {error}") from None
    logging.configure_from("worker", settings)

    from worker.process import ChildProcess, limits  # noqa: PLC0415 - what takes longest is started first

    allowed = limits(settings)
    children = [ChildProcess(allowed) for _ in range(settings.worker_slots)]

    from worker.agent import Agent  # noqa: PLC0415 - imports the clients while the children load their pipelines
    from worker.metadata import MetadataError, MetadataServer, read_boot  # noqa: PLC0415
    from worker.preemption import Notices  # noqa: PLC0415

    notices = Notices()
    server = MetadataServer()
    notices.listen()
    notices.watch(server)
    try:
        boot = read_boot(server, settings)
        preempted = server.get("instance/preempted").upper() == "TRUE"
    except MetadataError as error:
        raise click.ClickException(
            f"The worker does not know which VM it is: {error}. Set GCE_METADATA_HOST."
        ) from None
    if preempted:  # an agent before this one has let go of everything; only the end of the VM is left
        notices.wait_for_signal()
    else:
        Agent(settings, boot, notices, allowed, children).run()
    sys.exit(0)
