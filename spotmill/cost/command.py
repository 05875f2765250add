"""``spotmill cost``: what a deployment costs in a month, idle or with a workload."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from spotmill.cost import report
from spotmill.cost.deployment import Deployment, Workload
from spotmill.cost.prices import MONTH_HOURS, PRICES, PriceError, load

_DEPLOYED = Deployment()
_WORKLOAD = Workload()


def number(written: str | Decimal) -> Decimal:
    """Read a number that is not negative, as it was written."""
    try:
        amount = Decimal(written)
    except ArithmeticError:
        raise click.BadParameter(f"{written!r} is not a number.") from None
    if not amount.is_finite() or amount < 0:
        raise click.BadParameter(f"{written} is not zero or more.")
    return amount


def hours(written: str | Decimal) -> Decimal:
    """Read a number of hours of one month."""
    amount = number(written)
    if amount > MONTH_HOURS:
        raise click.BadParameter(f"{written} is more than the {MONTH_HOURS} hours of a month.")
    return amount


_COUNT = click.IntRange(min=0)


@click.command()
@click.option("--images", type=_COUNT, default=0, help="Images that come in a month.")
@click.option("--image-mb", type=number, default=_WORKLOAD.image_mib, show_default=True, help="Size of one, in MiB.")
@click.option(
    "--image-seconds",
    type=number,
    default=_WORKLOAD.image_seconds,
    show_default=True,
    help="Of a whole VM, for one image.",
)
@click.option(
    "--hours-of-media", type=number, default=Decimal(0), help="Hours of audio and video that come in a month."
)
@click.option(
    "--factor", type=number, default=_WORKLOAD.media_factor, show_default=True, help="VM-hours for one hour of media."
)
@click.option(
    "--media-gb", type=number, default=_WORKLOAD.media_gib_per_hour, show_default=True, help="Size of one hour, in GiB."
)
@click.option("--vm-hours", type=number, default=Decimal(0), help="VM-hours besides.")
@click.option("--runs", type=_COUNT, default=0, help="How often Run is pressed: VMs boot, and wait before they go.")
@click.option("--storage-gb", type=number, default=Decimal(0), help="Kept in the buckets besides, in GiB.")
@click.option("--downloads-gb", type=number, default=Decimal(0), help="Downloaded by people, in GiB.")
@click.option("--page-hours", type=number, default=Decimal(0), help="Hours of watching while something runs.")
@click.option("--builds", type=_COUNT, default=0, help="Deployments through Cloud Build, with tests.")
@click.option("--workers-type", default=_DEPLOYED.machine_type, show_default=True, help="Machine type of the workers.")
@click.option(
    "--gpu", help="GPU attached to each, such as nvidia-tesla-t4; machine types with one of their own need none."
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=_DEPLOYED.max_workers, show_default=True, help="VMs of a run."
)
@click.option(
    "--workers-disk-gb", type=_COUNT, default=_DEPLOYED.vm_disk_gb, show_default=True, help="Boot disk of each, in GB."
)
@click.option(
    "--models-gb", type=number, default=_DEPLOYED.models_gib, show_default=True, help="Copies of models, in GiB."
)
@click.option("--tier", default=_DEPLOYED.tier, show_default=True, help="Tier of the database.")
@click.option("--database-gb", type=_COUNT, default=_DEPLOYED.disk_gb, show_default=True, help="Its disk, in GB.")
@click.option("--regional", is_flag=True, help="Give it a standby in another zone.")
@click.option("--database-stopped", is_flag=True, help="Stop it for the whole month.")
@click.option(
    "--database-hours",
    type=hours,
    default=_DEPLOYED.database_hours,
    show_default=True,
    help="Hours of the month in which it runs.",
)
@click.option("--external-ai", is_flag=True, help="With Cloud NAT, for AI services outside Google.")
@click.option("--region", default=_DEPLOYED.region, show_default=True, help="Region of everything.")
@click.option("--prices", "path", type=click.Path(path_type=Path), default=PRICES, help="Another table of prices.")
@click.option(
    "--hourly", is_flag=True, help="Print only what one VM costs an hour, with its disk (workers.hourly_usd)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(path: Path, hourly: bool, as_json: bool, **options: Any) -> None:
    """Reckon what a deployment costs in a month, from a dated table of prices. Without options: idle."""
    deployment = Deployment(
        region=options["region"],
        tier=options["tier"],
        regional=options["regional"],
        disk_gb=options["database_gb"],
        database_hours=Decimal(0) if options["database_stopped"] else options["database_hours"],
        machine_type=options["workers_type"],
        gpu=options["gpu"],
        max_workers=options["workers"],
        vm_disk_gb=options["workers_disk_gb"],
        models_gib=options["models_gb"],
        external_ai=options["external_ai"],
    )
    workload = Workload(
        images=options["images"],
        image_mib=options["image_mb"],
        image_seconds=options["image_seconds"],
        media_hours=options["hours_of_media"],
        media_factor=options["factor"],
        media_gib_per_hour=options["media_gb"],
        vm_hours=options["vm_hours"],
        runs=options["runs"],
        storage_gib=options["storage_gb"],
        downloads_gib=options["downloads_gb"],
        page_hours=options["page_hours"],
        builds=options["builds"],
    )
    today = datetime.now(UTC).date()
    try:
        prices = load(path)
        if hourly:
            gpus = {deployment.gpu: 1} if deployment.gpu else {}
            click.echo(f"{prices.vm_hour(deployment.machine_type, deployment.vm_disk_gb, gpus):.4f}")
        elif as_json:
            click.echo(json.dumps(report.document(deployment, workload, prices, today), indent=2))
        else:
            click.echo(report.text(deployment, workload, prices, today), nl=False)
    except PriceError as error:
        raise click.ClickException(str(error)) from None
