"""What happens to the processes of a local virtual machine: preemption, power cuts, crashes, the end of the server."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from google.api_core import exceptions

from tests.conformance.compute_cloud import ComputeCloud, dead, done, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComputeCloud]:
    with ComputeCloud(tmp_path_factory.mktemp("compute")) as cloud:
        yield cloud


@pytest.fixture
def cloud(server: ComputeCloud) -> Iterator[ComputeCloud]:
    """An empty group on a server that other tests have used."""
    yield server
    server.clear()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ComputeCloud]:
    """A server that the test may kill."""
    with ComputeCloud(tmp_path) as cloud:
        yield cloud


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[ComputeCloud]:
    """Its machines do not end on SIGTERM; a preempted one loses power after a second."""
    with ComputeCloud(tmp_path, "--preemption-notice-seconds", "1", env="STUBBORN=1") as cloud:
        yield cloud


def one(cloud: ComputeCloud) -> tuple[Any, dict[str, Any]]:
    """The only machine of a group, and what it wrote when it started."""
    cloud.resize(1)
    [member] = cloud.settled(1)
    [start] = cloud.notes("start")
    return member, start


def everything_ended(start: dict[str, Any]) -> bool:
    """Whether both the program and the daemon that it left behind are dead."""
    return dead(start["pid"]) and dead(start["daemon"])


def test_a_machine_is_told_where_its_metadata_is(cloud: ComputeCloud) -> None:
    """The program sees its metadata server and the variables of the file, and its console is kept."""
    member, start = one(cloud)
    [process] = cloud.processes()

    environment = start["env"]

    assert environment["SPOTMILL_GREETING"] == "hello=there"
    assert environment["TMPDIR"] == str(Path(process["console"]).parent / "scratch")
    assert environment["GCE_METADATA_HOST"] == environment["GCE_METADATA_IP"] == process["metadata"]
    assert cloud.metadata(member, "instance/attributes/local-boot-id").text == start["boot_id"]
    assert Path(process["console"]).read_text() == "up\n"


def test_a_preempted_machine_is_warned_and_replaced(cloud: ComputeCloud) -> None:
    """It gets SIGTERM, loses its daemons and its disk, and comes back under its name as another machine."""
    member, start = one(cloud)
    Path(start["cwd"], "half-done").touch()

    done(cloud.instances.simulate_maintenance_event(**cloud.place(member)))

    until(lambda: len(cloud.notes("start")) == 2, "a second boot")
    [replacement] = cloud.settled(1)
    assert (replacement.name, replacement.instance) == (member.name, member.instance)
    assert replacement.id != member.id
    assert len(cloud.notes("term")) == 1
    assert everything_ended(start)
    assert not Path(start["cwd"], "half-done").exists()
    assert cloud.get().target_size == 1
    assert cloud.metadata(replacement, "instance/preempted").text == "FALSE"
    operations = cloud.zone_operations.list(project="mill", zone=cloud.place(member)["zone"])
    assert "compute.instances.preempted" in {operation.operation_type for operation in operations}


def test_a_preempted_machine_that_will_not_end_loses_power(stubborn: ComputeCloud) -> None:
    """Listeners wake at the notice; while it lasts the machine is STOPPING; then everything in it is killed."""
    member, start = one(stubborn)
    known = stubborn.metadata(member, "instance/preempted").headers["ETag"]
    answers: list[str] = []

    def listen() -> None:
        answers.append(stubborn.metadata(member, "instance/preempted", wait_for_change="true", last_etag=known).text)

    listener = threading.Thread(target=listen)
    listener.start()
    host, _, port = start["env"]["GCE_METADATA_HOST"].partition(":")
    until(
        lambda: any(connection.raddr == (host, int(port)) for connection in psutil.net_connections("tcp")),
        "a listener",
    )

    done(stubborn.instances.simulate_maintenance_event(**stubborn.place(member)))

    listener.join(10)
    assert answers == ["TRUE"]
    [during] = stubborn.members()
    assert (during.instance_status, during.current_action) == ("STOPPING", "RECREATING")
    with pytest.raises(exceptions.BadRequest, match="not ready"):
        stubborn.instances.simulate_maintenance_event(**stubborn.place(member))
    until(lambda: stubborn.notes("term"), "SIGTERM")
    assert not dead(start["pid"])
    until(lambda: everything_ended(start), "the power cut")
    stubborn.settled(1)
    assert len(stubborn.notes("term")) == 1


def test_a_preempted_machine_that_is_no_longer_wanted_does_not_come_back(stubborn: ComputeCloud) -> None:
    """The target is looked at when the machine has gone, not when it was taken away."""
    member, start = one(stubborn)
    done(stubborn.instances.simulate_maintenance_event(**stubborn.place(member)))

    stubborn.delete(member.instance)

    stubborn.settled(0)
    assert everything_ended(start)
    assert len(stubborn.notes("start")) == 1


def test_a_reset_is_a_power_cut_and_a_fresh_boot(cloud: ComputeCloud) -> None:
    """No signal that could be caught; the same machine and disk, another boot."""
    member, start = one(cloud)
    Path(start["cwd"], "half-done").touch()

    done(cloud.instances.reset(**cloud.place(member)))

    until(lambda: len(cloud.notes("start")) == 2, "a second boot")
    [again] = cloud.settled(1)
    assert again.id == member.id
    assert everything_ended(start)
    assert cloud.notes("term") == []
    second = cloud.notes("start")[1]
    assert second["boot_id"] != start["boot_id"]
    assert second["env"] == start["env"]
    assert Path(start["cwd"], "half-done").exists()


@pytest.mark.parametrize("call", ["stop", "delete"])
def test_the_group_repairs_what_is_stopped_or_deleted_by_hand(cloud: ComputeCloud, call: str) -> None:
    """The target still includes the machine, so there is another soon."""
    member, start = one(cloud)

    done(getattr(cloud.instances, call)(**cloud.place(member)))

    until(lambda: len(cloud.notes("start")) == 2, "a second boot")
    assert [again.name for again in cloud.settled(1)] == [member.name]
    assert len(cloud.notes("term")) == 1
    assert everything_ended(start)


def test_a_program_that_ends_is_started_again_on_the_same_boot(tmp_path: Path) -> None:
    """As systemd would; what the first run left behind is gone by then."""
    with ComputeCloud(tmp_path, env="HASTY=1") as cloud:
        cloud.resize(1)
        first, second = until(lambda: cloud.notes("start")[:2] if len(cloud.notes("start")) > 1 else [], "a restart")

        assert first["boot_id"] == second["boot_id"]
        assert everything_ended(first)
        [process] = cloud.processes()
        assert "ended with status 3" in Path(process["console"]).read_text()


def test_a_machine_whose_guest_is_killed_is_replaced_and_leaves_nothing(cloud: ComputeCloud) -> None:
    """Even the daemon that left session, environment and parents behind goes."""
    _, start = one(cloud)
    [process] = cloud.processes()

    os.kill(process["guest_pid"], signal.SIGKILL)

    until(lambda: len(cloud.notes("start")) == 2, "another machine")
    assert everything_ended(start)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_end_of_the_server(stubborn: ComputeCloud, how: signal.Signals) -> None:
    """Machines get SIGTERM and then lose power; the next start boots the group again."""
    stubborn.resize(2)
    stubborn.settled(2)
    starts = stubborn.notes("start")
    names = {member.name for member in stubborn.members()}

    assert stubborn.stop(how) == 0

    assert all(everything_ended(start) for start in starts)
    assert len(stubborn.notes("term")) == 2
    stubborn.start()
    assert stubborn.get().target_size == 2
    until(lambda: len(stubborn.notes("start")) == 4, "both machines again")
    assert {member.name for member in stubborn.settled(2)} == names


def test_a_killed_server_finds_its_machines_again(own: ComputeCloud) -> None:
    """They work on meanwhile, keep their boot and find their metadata server where it was."""
    own.resize(2)
    members = own.settled(2)
    before = own.processes()

    own.stop(signal.SIGKILL)
    assert not any(dead(process["guest_pid"]) for process in before)
    own.start()

    assert own.processes() == before
    assert own.members() == members
    assert len(own.notes("start")) == 2
    assert own.metadata(members[0], "instance/name").text == members[0].name
    done(own.instances.simulate_maintenance_event(**own.place(members[0])))
    until(lambda: len(own.notes("start")) == 3, "a replacement")
    own.resize(0)
    own.settled(0)
    assert all(everything_ended(start) for start in own.notes("start"))


def test_machines_that_died_while_the_server_was_down_are_booted_afresh(own: ComputeCloud) -> None:
    """As after a power cut of the whole computer; a daemon that one left is cleared away."""
    _, start = one(own)
    [process] = own.processes()
    own.stop(signal.SIGKILL)
    os.kill(process["guest_pid"], signal.SIGKILL)
    until(lambda: dead(process["guest_pid"]), "the end of the guest")

    own.start()

    until(lambda: len(own.notes("start")) == 2, "a fresh boot")
    assert dead(start["pid"])
    assert own.notes("start")[1]["boot_id"] != start["boot_id"]


def test_a_preemption_goes_on_over_a_killed_server(tmp_path: Path) -> None:
    """The machine loses its power when the notice is over, whoever is there to cut it."""
    with ComputeCloud(tmp_path, "--preemption-notice-seconds", "1", env="STUBBORN=1") as cloud:
        member, start = one(cloud)
        done(cloud.instances.simulate_maintenance_event(**cloud.place(member)))

        cloud.stop(signal.SIGKILL)
        cloud.start()

        until(lambda: everything_ended(start), "the power cut")
        until(lambda: len(cloud.notes("start")) == 2, "a replacement")
        assert len(cloud.notes("term")) == 1


def test_only_one_server_holds_a_data_directory(own: ComputeCloud) -> None:
    """A second one would run every machine twice: it refuses to start."""
    first = own.server

    with pytest.raises(AssertionError):
        own.start()

    assert own.server.wait(10) == 1
    own.server = first
    assert requests.get(f"{own.url}/_spotmill/health", timeout=5).status_code == 200
