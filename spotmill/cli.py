"""The ``spotmill`` command: each subcommand is imported only when it is called, so that images need only their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, util
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a command is (``module:attribute``), and what the list of commands says about it."""

    target: str
    summary: str

    @property
    def is_installed(self) -> bool:
        """Tell whether the command's package is in this image (production images carry no ``local``)."""
        return util.find_spec(self.target.partition(":")[0].partition(".")[0]) is not None

    def load(self) -> click.Command:
        """Import the command."""
        module, _, attribute = self.target.partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is not a command")
        return command


class LazyGroup(click.Group):
    """A group whose commands are references until they are called."""

    def __init__(self, *args: Any, references: Mapping[str, Reference], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.references = references

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the installed commands."""
        return sorted(name for name, reference in self.references.items() if reference.is_installed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        return self.references[cmd_name].load() if cmd_name in self.list_commands(ctx) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.references[name].summary) for name in self.list_commands(ctx)])


@click.group(
    cls=LazyGroup,
    references={
        "cost": Reference("spotmill.cost.command:command", "Say what a deployment costs in a month."),
        "local": Reference("spotmill.cli:local", "Run one server of the embedded local cloud alone."),
        "migrate": Reference("shared.migrate:command", "Bring the database to the newest schema."),
        "models": Reference(
            "worker.model_command:command", "List the models of pipelines, or copy them to the bucket."
        ),
        "pipelines": Reference(
            "worker.registry:command", "List the installed pipelines, or write them to the database."
        ),
        "reconcile": Reference("services.dispatcher.reconcile:command", "Record objects that no event announced."),
        "submit": Reference("spotmill.submit:command", "Submit files or gs:// objects."),
        "up": Reference("local.up:command", "Run the whole product on this machine."),
        "worker": Reference("worker.main:command", "Run the agent of one worker VM."),
    },
)
def main() -> None:
    """Spotmill turns a Google Cloud project, or this machine, into a media mill."""


@click.group(
    cls=LazyGroup,
    references={
        "cable": Reference("local.cable.server:command", "A cable to any server, which can be cut and slowed."),
        "compute": Reference("local.compute.server:command", "Compute: one instance group whose VMs are processes."),
        "eventarc": Reference("local.eventarc.server:command", "Eventarc: from Pub/Sub to CloudEvents over HTTP."),
        "faults": Reference("local.faults.control:command", "Make servers of a running local cloud fail."),
        "gcs": Reference("local.gcs.server:command", "Cloud Storage: JSON and XML APIs over files."),
        "postgres": Reference("local.postgres.server:command", "Postgres: a real one, on loopback."),
        "pubsub": Reference("local.pubsub.server:command", "Pub/Sub: gRPC over SQLite."),
        "scheduler": Reference("local.scheduler.server:command", "Cloud Scheduler: cron messages to topics."),
    },
)
def local() -> None:
    """Run one server of the embedded local cloud alone."""
