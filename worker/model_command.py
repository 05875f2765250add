"""``spotmill models``: the models that pipelines may load, and their copies in the result bucket."""

import tempfile
from pathlib import Path

import click

from shared.settings import SettingsError, WorkerSettings, load
from worker.model_copies import copy_model, from_hub
from worker.model_hub import HUB_AWAY, HubError, fetch_from_hub
from worker.models import digest
from worker.transfer import STORAGE_AWAY, Storage


@click.group("models")
def command() -> None:
    """Show the models that pipelines may load, or copy those of the hub into the result bucket."""


@command.command("list")
def list_places() -> None:
    """Print the name of each model and where it comes from."""
    for name, place in _settings().models:
        click.echo(f"{name}\t{place}")


@command.command("sync")
def sync() -> None:
    """Copy the models of the hub into the result bucket, where VMs without a way to the hub find them."""
    settings = _settings()
    storage = Storage(settings.project, connections=2)
    for name, place in settings.models:
        if not from_hub(place):
            click.echo(f"{name}: {place} is not of the hub; nothing to copy")
            continue
        click.echo(f"{name}: fetching {place}")
        with tempfile.TemporaryDirectory(dir=settings.scratch_dir) as folder:
            try:
                fetched = fetch_from_hub(place, Path(folder), lambda: None)
                copied = copy_model(storage, settings.result_bucket, place, fetched, digest(fetched))
            except (HubError, *HUB_AWAY, *STORAGE_AWAY) as error:
                raise click.ClickException(f"{name}: {place} cannot be copied: {error}") from error
        click.echo(f"{name}: {'copied' if copied else 'the bucket has it already'}")


def _settings() -> WorkerSettings:
    try:
        settings: WorkerSettings = load(WorkerSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    return settings
