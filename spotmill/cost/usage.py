"""What a deployment uses of everything that has a price, in a month: quantities in the units of the price table."""

import re
from collections import defaultdict
from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal

from spotmill.cost.deployment import Deployment, Workload
from spotmill.cost.prices import MONTH_HOURS, PriceError

#: Quantities by what they are of: a key of the price table, or this one.
Usage = Mapping[str, Decimal]
SPOT = "compute/spot"

_KIB, _MIB, _GIB = Decimal(2**10), Decimal(2**20), Decimal(2**30)
#: Cloud Run counts each request as a multiple of this many seconds.
_REQUEST_SECONDS = Decimal("0.1")
#: Pub/Sub counts a smaller message as this many bytes, once as it comes and once as it goes.
_MESSAGE_BYTES = 1000
#: Notifications of a budget in a day; Google says "multiple times".
_BUDGET_MESSAGES = 48
#: Bytes that one value and one distribution of a metric count, and how often a minute alerts read theirs.
_VALUE_BYTES, _DISTRIBUTION_BYTES, _READS = 8, 80, 2

#: What one job takes besides its VM: operations on files, bytes of messages (its event, the word to a worker), logs.
_JOB_WRITES, _JOB_READS, _JOB_BYTES, _JOB_LOG_KIB = 8, 8, 8000, 6
#: Steps of an hour of audio or video, each written once and, if a VM is taken or when the parts are joined, read once:
#: pieces of six seconds of a video.
_STEPS = 600
#: What results add to the size of sources.
_RESULTS = Decimal("0.2")
#: Hours that a VM boots, and waits for more before it goes (``SPOTMILL_IDLE_SECONDS`` and a tick), in each run.
_RUN_OVERHEAD_HOURS = Decimal("0.1")
#: Requests of an open page in an hour while something runs: the queue and the list, each second.
_PAGE_REQUESTS = 7200


def idle(deployment: Deployment) -> Usage:
    """Return what is used while nobody does anything."""
    hours = deployment.database_hours
    ticks, days = hours * 60, hours / 24
    messages = ticks + days * (1 + _BUDGET_MESSAGES)
    metric_bytes = deployment.counters * _VALUE_BYTES + deployment.distributions * _DISTRIBUTION_BYTES
    return {
        **_database(deployment),
        **_requests(deployment, messages, deployment.tick_seconds),
        "cloud-scheduler/job": Decimal(deployment.scheduler_jobs),
        "eventarc/events": messages,
        "pubsub/throughput": messages * 2 * _MESSAGE_BYTES / _GIB,
        "artifact-registry/storage": deployment.images_gib,
        "cloud-storage/standard": deployment.models_gib,
        "cloud-storage/class-a": days * 2,  # a reconcile lists both buckets
        "secret-manager/version": Decimal(deployment.secret_versions),
        "secret-manager/access": Decimal(deployment.secret_accesses),
        "logging/storage": ticks * deployment.tick_log_kib * _KIB / _GIB,
        "monitoring/data": ticks * metric_bytes / _MIB,
        "monitoring/alert-metric": Decimal(deployment.alert_metrics if hours else 0),
        "monitoring/alert-points": ticks * _READS * deployment.alert_metrics,
    }


def working(deployment: Deployment, workload: Workload) -> Usage:
    """Return what a workload uses besides; its VMs are ``SPOT``, in hours."""
    jobs = workload.images + workload.media_hours
    sources_gib = workload.images * workload.image_mib / 1024 + workload.media_hours * workload.media_gib_per_hour
    vm_hours = (
        workload.images * workload.image_seconds / 3600
        + workload.media_hours * workload.media_factor
        + workload.vm_hours
        + workload.runs * deployment.max_workers * _RUN_OVERHEAD_HOURS
    )
    metric_bytes = deployment.counters * _VALUE_BYTES + deployment.distributions * _DISTRIBUTION_BYTES
    pages = workload.page_hours * _PAGE_REQUESTS
    nat = {"cloud-nat/gateway": vm_hours, "cloud-nat/address": vm_hours, "cloud-nat/data": sources_gib}
    return {
        **_requests(deployment, 2 * jobs + pages, _REQUEST_SECONDS),  # an upload begins, its event comes
        SPOT: vm_hours,
        "compute/pd-balanced": vm_hours / MONTH_HOURS * deployment.vm_disk_gb,
        "cloud-storage/standard": workload.storage_gib + sources_gib * (1 + _RESULTS),
        "cloud-storage/class-a": jobs * _JOB_WRITES + workload.media_hours * _STEPS,
        "cloud-storage/class-b": jobs * _JOB_READS + workload.media_hours * _STEPS,
        "cloud-storage/egress": workload.downloads_gib,
        "eventarc/events": Decimal(jobs),
        "pubsub/throughput": jobs * _JOB_BYTES / _GIB,
        "logging/storage": jobs * _JOB_LOG_KIB * _KIB / _GIB,
        "monitoring/data": vm_hours * 60 * metric_bytes / _MIB,
        "cloud-build/e2-highcpu-8": workload.builds * workload.build_minutes,
        **(nat if deployment.external_ai else {}),
    }


def together(*parts: Usage) -> Usage:
    """Add usages up: what is free in a month is free once."""
    total: dict[str, Decimal] = defaultdict(Decimal)
    for part in parts:
        for sku, quantity in part.items():
            total[sku] += quantity
    return total


def _database(deployment: Deployment) -> Usage:
    copies = 2 if deployment.regional else 1
    hours = deployment.database_hours * copies
    kept = {"cloud-sql/ssd": Decimal(deployment.disk_gb * copies), "cloud-sql/backups": deployment.backups_gb}
    if deployment.tier in ("db-f1-micro", "db-g1-small"):
        return {f"cloud-sql/{deployment.tier}": hours, **kept}
    if (size := re.fullmatch(r"db-custom-(\d+)-(\d+)", deployment.tier)) is None:
        raise PriceError(
            f"{deployment.tier!r} is no tier of the database;"
            " there are db-f1-micro, db-g1-small and db-custom-<CPUs>-<MiB>."
        )
    cpus, mib = map(int, size.groups())
    return {"cloud-sql/vcpu": hours * cpus, "cloud-sql/memory": hours * mib / 1024, **kept}


def _requests(deployment: Deployment, requests: Decimal, seconds: Decimal) -> Usage:
    """Requests one after the other, each with a whole instance: the most that Cloud Run may count."""
    counted = (seconds / _REQUEST_SECONDS).to_integral_value(ROUND_CEILING) * _REQUEST_SECONDS * requests
    return {
        "cloud-run/requests": requests,
        "cloud-run/cpu": counted,
        "cloud-run/memory": counted * deployment.service_memory_gib,
    }
