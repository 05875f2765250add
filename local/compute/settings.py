"""What one local Compute server is told when it starts."""

import zlib
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """``preemption_notice_seconds``: from notice to power off; ``shutdown_seconds``: the same after a deletion."""

    data_dir: Path
    project: str
    region: str
    group: str
    max_size: int
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    machine_type: str = "e2-standard-2"
    preemption_notice_seconds: float = 30.0
    shutdown_seconds: float = 90.0

    @property
    def project_number(self) -> int:
        """A number that stays the same for this project."""
        return 100_000_000_000 + zlib.crc32(self.project.encode())

    @property
    def service_account(self) -> str:
        return f"worker@{self.project}.iam.gserviceaccount.com"

    @property
    def zones(self) -> tuple[str, ...]:
        return tuple(f"{self.region}-{letter}" for letter in "abc")

    def vm_dir(self, instance: str) -> Path:
        return self.data_dir / "vms" / instance


def read_environment(path: Path) -> dict[str, str]:
    """``KEY=VALUE`` lines; blank lines and those that begin with ``#`` are passed over.

    Raises:
        ValueError: a line is neither.
    """
    lines = [line.strip() for line in path.read_text().splitlines()]
    values = {}
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            if not equals:
                raise ValueError(f"{path}, line {number}: no KEY=VALUE")
            values[key.strip()] = value
    return values
