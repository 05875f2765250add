"""What a virtual machine may learn about itself, as the tree that Google documents.

See https://cloud.google.com/compute/docs/metadata/predefined-metadata-keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Leaf = str | int | list[str]
Tree = Mapping[str, "Leaf | Tree"]

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


@dataclass(frozen=True)
class Facts:
    """One virtual machine at one moment."""

    project: str
    project_number: int
    zone: str
    name: str
    id: int
    machine_type: str
    service_account: str
    preempted: bool = False
    maintenance_event: str = "NONE"
    attributes: Mapping[str, str] = field(default_factory=dict)
    scopes: tuple[str, ...] = SCOPES

    def tree(self) -> Tree:
        """Everything under ``/computeMetadata/v1/``, but for tokens, which are made when they are asked for."""
        account: Tree = {"aliases": ["default"], "email": self.service_account, "scopes": list(self.scopes)}
        return {
            "instance": {
                "attributes": self.attributes,
                "description": "",
                "hostname": f"{self.name}.{self.zone}.c.{self.project}.internal",
                "id": self.id,
                "machine-type": f"projects/{self.project_number}/machineTypes/{self.machine_type}",
                "maintenance-event": self.maintenance_event,
                "name": self.name,
                "network-interfaces": {"0": {"ip": "127.0.0.1", "mac": "00:00:00:00:00:00"}},
                "preempted": _flag(self.preempted),
                "scheduling": {
                    "automatic-restart": _flag(False),
                    "on-host-maintenance": "TERMINATE",
                    "preemptible": _flag(True),
                },
                "service-accounts": {"default": account, self.service_account: account},
                "tags": [],
                "zone": f"projects/{self.project_number}/zones/{self.zone}",
            },
            "project": {
                "attributes": {},
                "numeric-project-id": self.project_number,
                "project-id": self.project,
            },
            "universe": {"universe-domain": "googleapis.com"},
        }


def _flag(value: bool) -> str:
    return "TRUE" if value else "FALSE"
