"""The group, its instances and its errors as the Compute API shows them.

Fields and their meaning: https://cloud.google.com/compute/docs/reference/rest/v1.
"""

from collections import Counter
from typing import Any

from local.compute.group import Group
from local.compute.instance import Instance, Status, fresh_id
from local.compute.names import link, timestamp
from local.compute.settings import Settings
from local.compute.store import Failure

ACTIONS = (
    *("abandoning", "creating", "creatingWithoutRetries", "deleting", "none", "recreating", "refreshing"),
    *("restarting", "resuming", "starting", "stopping", "suspending", "verifying"),
)


def group_name(settings: Settings) -> str:
    return f"projects/{settings.project}/regions/{settings.region}/instanceGroupManagers/{settings.group}"


def instance_name(settings: Settings, instance: Instance | Failure) -> str:
    name = instance.instance if isinstance(instance, Failure) else instance.name
    return f"projects/{settings.project}/zones/{instance.zone}/instances/{name}"


def template_name(settings: Settings) -> str:
    return f"projects/{settings.project}/global/instanceTemplates/{settings.group}"


def group(group: Group) -> dict[str, Any]:
    """An ``InstanceGroupManager``."""
    settings, row = group.settings, group.row
    region = f"projects/{settings.project}/regions/{settings.region}"
    zones = [{"zone": link(f"projects/{settings.project}/zones/{zone}")} for zone in settings.zones]
    actions = Counter(instance.action.lower() for instance in group.instances)
    statuses = Counter(instance.status.lower() for instance in group.instances if instance.status is not Status.PENDING)
    return {
        "kind": "compute#instanceGroupManager",
        "id": str(row.id),
        "name": row.name,
        "baseInstanceName": row.name,
        "creationTimestamp": timestamp(row.created_at),
        "region": link(region),
        "selfLink": link(group_name(settings)),
        "instanceGroup": link(f"{region}/instanceGroups/{row.name}"),
        "instanceTemplate": link(template_name(settings)),
        "versions": [
            {"instanceTemplate": link(template_name(settings)), "targetSize": {"calculated": row.target_size}}
        ],
        "distributionPolicy": {"zones": zones, "targetShape": "ANY"},
        "targetSize": row.target_size,
        "currentActions": {action: actions[action] for action in ACTIONS},
        "status": {
            "isStable": group.stable,
            "versionTarget": {"isReached": group.stable},
            "stateful": {"hasStatefulConfig": False},
            "currentInstanceStatuses": {status: statuses[status] for status in ("running", "stopping")},
        },
        "fingerprint": "AAAAAAAAAAA=",
    }


def managed_instance(settings: Settings, instance: Instance) -> dict[str, Any]:
    """A ``ManagedInstance``: the group's view of a member."""
    shown = {
        "name": instance.name,
        "instance": link(instance_name(settings, instance)),
        "currentAction": instance.action,
        "version": {"instanceTemplate": link(template_name(settings))},
    }
    if instance.status is not Status.PENDING:
        shown |= {"id": str(instance.id), "instanceStatus": instance.status}
    if instance.error_code:
        error = {"code": instance.error_code, "message": instance.error_message}
        shown["lastAttempt"] = {"errors": {"errors": [error]}}
    return shown


def instance(settings: Settings, instance: Instance) -> dict[str, Any]:
    """An ``Instance``."""
    zone = f"projects/{settings.project}/zones/{instance.zone}"
    creator = f"projects/{settings.project_number}/regions/{settings.region}/instanceGroupManagers/{settings.group}"
    notice_seconds = round(settings.preemption_notice_seconds)
    shown = {
        "kind": "compute#instance",
        "id": str(instance.id),
        "name": instance.name,
        "zone": link(zone),
        "selfLink": link(instance_name(settings, instance)),
        "machineType": link(f"{zone}/machineTypes/{settings.machine_type}"),
        "status": instance.status,
        "creationTimestamp": timestamp(instance.created_at),
        "metadata": {"kind": "compute#metadata", "items": [{"key": "created-by", "value": creator}]},
        "networkInterfaces": [{"kind": "compute#networkInterface", "name": "nic0", "networkIP": "127.0.0.1"}],
        "scheduling": {
            "provisioningModel": "SPOT",
            "preemptible": True,
            "automaticRestart": False,
            "onHostMaintenance": "TERMINATE",
            "instanceTerminationAction": "DELETE",
            "preemptionNoticeDuration": {"seconds": str(notice_seconds)},
        },
        "serviceAccounts": [
            {"email": settings.service_account, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}
        ],
        "startRestricted": False,
        "deletionProtection": False,
    }
    if instance.started_at:
        shown["lastStartTimestamp"] = timestamp(instance.started_at)
    return shown


def failure(settings: Settings, failure: Failure) -> dict[str, Any]:
    """An ``InstanceManagedByIgmError``."""
    return {
        "timestamp": timestamp(failure.at),
        "error": {"code": failure.code, "message": failure.message},
        "instanceActionDetails": {
            "action": failure.action,
            "instance": link(instance_name(settings, failure)),
            "version": {"instanceTemplate": link(template_name(settings))},
        },
    }


def operation(
    settings: Settings, *, scope: str, operation_type: str, target: str, target_id: int, now: float
) -> dict[str, Any]:
    """An ``Operation``, done. ``scope``: ``regions/R`` or ``zones/Z``; ``target``: the resource that it changed."""
    identity = fresh_id()
    name = f"operation-{round(now * 1000)}-{identity:x}"
    kind, _, place = scope.partition("/")
    at = timestamp(now)
    return {
        "kind": "compute#operation",
        "id": str(identity),
        "name": name,
        "operationType": operation_type,
        "targetLink": link(target),
        "targetId": str(target_id),
        "status": "DONE",
        "progress": 100,
        "user": settings.service_account,
        "insertTime": at,
        "startTime": at,
        "endTime": at,
        kind.removesuffix("s"): link(f"projects/{settings.project}/{scope}"),
        "selfLink": link(f"projects/{settings.project}/{kind}/{place}/operations/{name}"),
    }


def still_running(operation: dict[str, Any]) -> dict[str, Any]:
    """The same before it was done."""
    return {name: value for name, value in operation.items() if name != "endTime"} | {
        "status": "RUNNING",
        "progress": 0,
    }


def operation_error(code: str, message: str) -> dict[str, Any]:
    """What makes a done operation a failed one."""
    return {
        "error": {"errors": [{"code": code, "message": message}]},
        "httpErrorStatusCode": 403,
        "httpErrorMessage": "FORBIDDEN",
    }
