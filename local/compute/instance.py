"""One instance of the group as it is recorded."""

import secrets
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """As ``instanceStatus`` of the Compute API."""

    #: To be created; there is no virtual machine yet, and the API shows no status
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    #: Told to shut down, not yet off
    STOPPING = "STOPPING"


class Action(StrEnum):
    """As ``currentAction`` of the Compute API: what the group is doing about the instance."""

    NONE = "NONE"
    CREATING = "CREATING"
    RECREATING = "RECREATING"
    DELETING = "DELETING"


@dataclass
class Instance:
    """A row of the table ``instances``. Times are seconds since 1970.

    ``guest_pid`` and ``guest_born`` name the living process of the boot; ``metadata_port`` stays through boots.
    """

    name: str
    number: int
    zone: str
    id: int
    created_at: float
    status: Status = Status.PENDING
    action: Action = Action.CREATING
    boot_id: str = ""
    guest_pid: int = 0
    guest_born: str = ""
    metadata_port: int = 0
    preempted: bool = False
    kill_at: float = 0.0
    started_at: float = 0.0
    error_code: str = ""
    error_message: str = ""

    @property
    def wanted(self) -> bool:
        """Whether it counts towards the group's target."""
        return self.action is not Action.DELETING

    def renew(self) -> None:
        """Make it the blank successor of itself: the same name, another machine."""
        self.id = fresh_id()
        self.status, self.action = Status.PENDING, Action.RECREATING
        self.boot_id, self.guest_pid, self.guest_born = "", 0, ""
        self.preempted, self.kill_at = False, 0.0


def fresh_id() -> int:
    """A number of nineteen digits, as Compute gives every resource."""
    return 10**18 + secrets.randbelow(8 * 10**18)
