"""What is deployed, and what it is given to do: all that a bill depends on."""

from dataclasses import dataclass
from decimal import Decimal

from spotmill.cost.prices import MONTH_HOURS


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment; the defaults are those of Terraform, or were measured where they say so."""

    region: str = "us-central1"

    #: ``database.tier`` and the like.
    tier: str = "db-f1-micro"
    regional: bool = False
    disk_gb: int = 10
    #: What the retained backups take: the first is whole, each later one only what changed.
    backups_gb: Decimal = Decimal(1)
    #: Hours of the month in which the database runs; Cloud Scheduler ticks in these alone.
    database_hours: Decimal = MONTH_HOURS

    scheduler_jobs: int = 2
    #: Active versions of secrets, and how often they are read.
    secret_versions: int = 0
    secret_accesses: int = 0

    #: Seconds of one tick. Measured: 0.02 here with nothing to do, 0.5 in a process that has just started.
    tick_seconds: Decimal = Decimal("0.3")
    #: Memory of one instance of either service; each has one CPU.
    service_memory_gib: Decimal = Decimal("0.5")
    #: What one tick writes to Cloud Logging: its own line (0.4 KB here) and that of the request.
    tick_log_kib: Decimal = Decimal(3)

    #: Images and the cache of their builds, compressed; layers that several share count once. Measured: 0.38 for one
    #: version of web, dispatcher and worker, and nearly as much for the stages that they are copied from.
    images_gib: Decimal = Decimal("0.85")

    #: Copies of the hub's models in the bucket for results: Whisper's ``small``.
    models_gib: Decimal = Decimal("0.45")

    #: Metrics that are counted from logs, one value or a whole distribution a minute.
    counters: int = 14
    distributions: int = 6
    #: Metrics that the conditions of all alerts name, each with one time series.
    alert_metrics: int = 11

    machine_type: str = "n2d-standard-4"
    gpu: str | None = None
    max_workers: int = 2
    vm_disk_gb: int = 100
    external_ai: bool = False

    project_budget_usd: Decimal = Decimal(5)


@dataclass(frozen=True, slots=True)
class Workload:
    """What is done in a month, besides waiting. Sizes are in GiB."""

    images: int = 0
    image_mib: Decimal = Decimal(8)
    #: Seconds of a whole VM for one image. A 24 MP photograph takes less than one on 2 slots.
    image_seconds: Decimal = Decimal(1)

    media_hours: Decimal = Decimal(0)
    #: VM-hours for one hour of audio or video.
    media_factor: Decimal = Decimal(1)
    media_gib_per_hour: Decimal = Decimal(1)

    #: VM-hours besides those that follow from images, media and runs.
    vm_hours: Decimal = Decimal(0)
    #: How often Run is pressed; each time every VM boots, and waits a while for more before it goes.
    runs: int = 0

    #: Kept on average besides what comes this month.
    storage_gib: Decimal = Decimal(0)
    downloads_gib: Decimal = Decimal(0)
    #: Hours for which somebody watches a page while something runs.
    page_hours: Decimal = Decimal(0)
    #: Deployments through Cloud Build, tests included.
    builds: int = 0
    build_minutes: Decimal = Decimal(15)

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing is done at all."""
        done = (self.images, self.media_hours, self.vm_hours, self.runs, self.storage_gib, self.downloads_gib)
        return not any((*done, self.page_hours, self.builds))
