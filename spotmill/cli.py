"""The ``spotmill`` command: each subcommand is imported only when it is called, so that images need only their own."""

from importlib import import_module, util
from typing import Any

import click


class LazyGroup(click.Group):
    """A group whose commands are ``module:attribute`` references."""

    def __init__(self, *args: Any, references: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.references = references

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands whose package is in this image (production images carry no ``local``)."""
        return sorted(name for name, ref in self.references.items() if util.find_spec(ref.split(".")[0].split(":")[0]))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module, _, attribute = self.references[cmd_name].partition(":")
        command = getattr(import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.references[cmd_name]} is not a command")
        return command


@click.group(
    cls=LazyGroup,
    references={
        "local": "spotmill.cli:local",
        "migrate": "shared.migrate:command",
        "pipelines": "worker.registry:command",
        "reconcile": "services.dispatcher.reconcile:command",
        "submit": "spotmill.submit:command",
        "up": "local.up:command",
        "worker": "worker.main:command",
    },
)
def main() -> None:
    """Spotmill turns a Google Cloud project, or this machine, into a media mill."""


@click.group(
    cls=LazyGroup,
    references={
        "compute": "local.compute.server:command",
        "eventarc": "local.eventarc.server:command",
        "gcs": "local.gcs.server:command",
        "postgres": "local.postgres.server:command",
        "pubsub": "local.pubsub.server:command",
        "scheduler": "local.scheduler.server:command",
    },
)
def local() -> None:
    """One server of the embedded local cloud, alone."""
