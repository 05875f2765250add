"""After the last job nothing is left that costs money."""

from pathlib import Path

import requests
from sqlalchemy import text

from tests.cloud import running, wait_for
from tests.photos import photographs


def test_a_fleet_with_nothing_left_to_do_goes_by_itself(tmp_path: Path) -> None:
    """Idle workers say that they leave, ticks delete their VMs and close the run; no second is billed after that."""
    environment = {"SPOTMILL_IDLE_SECONDS": "2", "SPOTMILL_HEARTBEAT_SECONDS": "0.5"}
    with running(tmp_path / "data", "--port", "0", "--max-workers", "2", environment=environment) as cloud:
        photograph = next(path for path in photographs() if path.suffix == ".jpg").read_bytes()
        for number in range(4):
            cloud.uploads.blob(f"20251203T15Z/{number}/{number}.jpg").upload_from_string(photograph, "image/jpeg")

        def number_of(statement: str) -> float:
            with cloud.engine.connect() as connection:
                return float(connection.execute(text(statement)).scalar_one())

        wait_for(lambda: number_of("SELECT count(*) FROM jobs WHERE published_at IS NOT NULL") == 4)
        headers = {"Origin": cloud.web_url}
        answer = requests.post(f"{cloud.web_url}/api/v1/runs", json={"workers": 2}, headers=headers, timeout=30)
        assert answer.status_code == 202
        wait_for(lambda: number_of("SELECT count(*) FROM jobs WHERE status = 'succeeded'") == 4, 120, "all are done")

        def over() -> bool:
            cloud.tick()
            return number_of("SELECT count(*) FROM runs WHERE end_reason = 'finished'") == 1

        wait_for(over, 120, "the run is over", pause_seconds=0.5)
        group = {
            "project": cloud.settings.project,
            "region": cloud.settings.region,
            "instance_group_manager": cloud.settings.instance_group,
        }
        assert cloud.groups.get(**group).target_size == 0  # type: ignore[arg-type]  # as the client takes them
        wait_for(lambda: not list(cloud.groups.list_managed_instances(**group)), 60, "no VM is left")  # type: ignore[arg-type]
        wait_for(lambda: number_of("SELECT count(*) FROM workers WHERE state <> 'gone'") == 0, 60, "all are gone")
        assert number_of("SELECT run_vm_seconds(max(ended_at)) FROM workers") == 0
        assert number_of("SELECT vm_seconds FROM runs") > 0
