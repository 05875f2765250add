"""Who the VM is and when it is taken, asked of the metadata server of the local cloud."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from local.metadata import Facts, MetadataServer
from shared.settings import WorkerSettings
from tests.agents import Machines
from worker.metadata import MetadataError, Value, read_boot
from worker.metadata import MetadataServer as Client
from worker.preemption import Notices

SETTINGS = WorkerSettings(
    project="p",
    database_url="postgresql+pg8000://x",
    upload_bucket="u",
    result_bucket="r",
    boot_id="12345678-9",
    worker_slots=3,
)


class Machine:
    """A VM of which only the metadata exist."""

    def __init__(self, machines: Machines) -> None:
        self.facts = Facts("p", 1, "us-central1-a", "vm-1", 1, "e2-standard-2", "worker@p")
        self._machines = machines
        self.server: MetadataServer = machines.listen(self)
        self.client = Client(f"127.0.0.1:{self.server.port}")

    def preempt(self) -> None:
        self.facts = replace(self.facts, preempted=True)
        self._machines.announce(self.server)

    def close(self) -> None:
        self._machines.close(self.server)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A VM with a metadata server."""
    made = Machine(Machines())
    yield made
    made.close()


def test_identity(machine: Machine) -> None:
    """A worker is named after its VM and boot; zone and machine type come without their paths."""
    boot = read_boot(machine.client, SETTINGS)
    assert (boot.id, boot.zone, boot.machine_type, boot.slots) == ("vm-1/12345678", "us-central1-a", "e2-standard-2", 3)


def test_kernel_boot_id(machine: Machine) -> None:
    """Without a setting the kernel says which boot this is."""
    boot = read_boot(machine.client, SETTINGS.model_copy(update={"boot_id": None}))
    assert len(boot.boot_id) == 36


def test_waits_for_change(machine: Machine) -> None:
    """A wait returns when the value changes, or unchanged when its time is over."""
    first = machine.client.wait_for_change("instance/preempted", None, 5)
    assert first.text == "FALSE"
    assert machine.client.wait_for_change("instance/preempted", first, 1) == first
    machine.preempt()
    assert machine.client.wait_for_change("instance/preempted", first, 30).text == "TRUE"
    assert machine.client.wait_for_change("instance/preempted", Value("FALSE", "0"), 30).text == "TRUE"


def test_notice(machine: Machine) -> None:
    """A preemption becomes one notice."""
    notices = Notices()
    notices.watch(machine.client)
    assert notices.wait(0) is None
    machine.preempt()
    notice = notices.wait(30)
    assert notice is not None
    assert (notice.reason, notice.signal) == ("The VM was preempted.", None)
    assert notices.wait(0.05) is None


def test_unreachable() -> None:
    """An error names the server and what is wrong with it."""
    with pytest.raises(MetadataError, match=r"no answer from the metadata server at 127\.0\.0\.1:1"):
        read_boot(Client("127.0.0.1:1"), SETTINGS, 0.1)


def test_unknown_key(machine: Machine) -> None:
    """What the server does not know is an error, too."""
    with pytest.raises(MetadataError, match="answered 404 to /computeMetadata/v1/instance/colour"):
        machine.client.get("instance/colour")
