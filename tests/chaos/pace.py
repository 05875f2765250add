"""How quickly time passes in a run: the product's own seconds, or shorter ones, so that minutes are enough."""

import os
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.mill import ADMIN, ARCHIVE, PLUGIN

#: Said to every process of the mill, whatever the pace.
_ALWAYS = {
    "SPOTMILL_ADMINS": ADMIN,
    "SPOTMILL_ALLOWED_BUCKETS": ARCHIVE,
    "SPOTMILL_CHILD_MEMORY_BYTES": str(2 * 2**30),
    "SPOTMILL_LOG_FORMAT": "json",
    "SPOTMILL_WORKER_SLOTS": "2",
    "SPOTMILL_UPLOAD_PUT_MAX_BYTES": "20000",  # so that photographs are resumable uploads
    "SPOTMILL_BACKOFF_SECONDS": "0.5",  # five failures would take minutes
    "SPOTMILL_BACKOFF_MAX_SECONDS": "4",
    "SPOTMILL_REPUBLISH_AFTER_SECONDS": "300",  # six days, in the product
    "SPOTMILL_STEPS_RETENTION_DAYS": "0",  # two weeks, in the product
    "PYTHONPATH": os.pathsep.join(filter(None, (str(PLUGIN), os.environ.get("PYTHONPATH")))),
}


@dataclass(frozen=True, slots=True)
class Pace:
    """``settings`` are those of the mill; a tick comes every ``tick_seconds``."""

    name: str
    lease_seconds: int
    tick_seconds: float
    settings: dict[str, str]

    def environment(self, scratch: Path | None) -> dict[str, str]:
        """Return what the processes of the mill are told."""
        disk = {"SPOTMILL_SCRATCH_DIR": str(scratch)} if scratch is not None else {}
        return _ALWAYS | self.settings | disk


PACES = {
    "quick": Pace(
        "quick",
        10,
        3.0,
        {
            "SPOTMILL_LEASE_SECONDS": "10",
            "SPOTMILL_RENEW_SECONDS": "3",
            "SPOTMILL_ACK_DEADLINE_SECONDS": "12",
            "SPOTMILL_REPUBLISH_IDLE_SECONDS": "20",
            "SPOTMILL_HEARTBEAT_SECONDS": "1",
            "SPOTMILL_IDLE_SECONDS": "15",
            "SPOTMILL_WORKER_GONE_SECONDS": "15",
            "SPOTMILL_SWEEP_AFTER_SECONDS": "20",
        },
    ),
    "product": Pace("product", 40, 10.0, {"SPOTMILL_SWEEP_AFTER_SECONDS": "60"}),
}
