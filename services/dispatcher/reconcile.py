"""``spotmill reconcile``: find objects that no event ever announced, and record them."""

from itertools import islice

import click
import structlog

from services.dispatcher.backends import Backends
from services.dispatcher.intake import Arrival, resource_of, take_in
from shared import logging
from shared.settings import DispatcherSettings, SettingsError, load

#: Objects that are recorded in one transaction; one page of the bucket's listing.
_BATCH = 1000
#: Seconds that one page of the listing may take.
_DEADLINE_SECONDS = 60

log = structlog.get_logger()


def reconcile(backends: Backends) -> int:
    """List the upload bucket and record what is missing; return how many jobs were new. Safe to run twice at once."""
    found = 0
    listing = backends.storage.list_blobs(backends.settings.upload_bucket, page_size=_BATCH, timeout=_DEADLINE_SECONDS)
    objects = iter(listing)
    while page := list(islice(objects, _BATCH)):
        found += sum(job.new for job in take_in(backends, [Arrival(resource_of(blob)) for blob in page]))
    log.info("reconcile.done", new=found)
    return found


@click.command()
def command() -> None:
    """Record objects of the upload bucket that no event announced."""
    try:
        settings = load(DispatcherSettings)
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
    logging.configure_from("reconcile", settings)
    click.echo(f"{reconcile(Backends(settings))} objects were recorded that no event had announced")
