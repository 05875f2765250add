"""The managed instance group as the real Compute clients see it."""

import uuid
from collections.abc import Iterator

import pytest
from google.api_core import exceptions
from google.cloud import compute_v1

from tests.conformance.compute_cloud import GROUP, PROJECT, REGION, ComputeCloud, done, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComputeCloud]:
    with ComputeCloud(tmp_path_factory.mktemp("compute")) as cloud:
        yield cloud


@pytest.fixture
def cloud(server: ComputeCloud) -> Iterator[ComputeCloud]:
    yield server
    server.clear()


def test_a_new_group_is_empty_and_stable(cloud: ComputeCloud) -> None:
    """A group nobody has resized has no members and nothing to do."""
    group = cloud.get()

    assert (group.name, group.base_instance_name, group.target_size) == (GROUP, GROUP, 0)
    assert group.status.is_stable
    assert cloud.members() == []
    assert [found.name for found in cloud.managers.list(project=PROJECT, region=REGION)] == [GROUP]


def test_resize_up_makes_running_machines_spread_over_zones(cloud: ComputeCloud) -> None:
    """Three machines stand in three zones, run the program in their own directory and have ids of their own."""
    cloud.resize(3)

    members = cloud.settled(3)

    assert {cloud.place(member)["zone"] for member in members} == {f"{REGION}-{letter}" for letter in "abc"}
    assert all(member.name.startswith(f"{GROUP}-") and len(member.name) == len(GROUP) + 5 for member in members)
    assert {(member.instance_status, member.current_action) for member in members} == {("RUNNING", "NONE")}
    assert len({member.id for member in members}) == 3
    assert len({entry["cwd"] for entry in cloud.notes("start")}) == 3
    assert cloud.get().current_actions.none == 3


def test_an_instance_says_that_it_is_a_spot_machine(cloud: ComputeCloud) -> None:
    """The instances client shows status, machine type, scheduling and who created it."""
    cloud.resize(1)
    [member] = cloud.settled(1)

    instance = cloud.instances.get(**cloud.place(member))

    assert (instance.name, instance.status, instance.id) == (member.name, "RUNNING", member.id)
    assert instance.machine_type.endswith("/machineTypes/e2-standard-2")
    assert instance.scheduling.provisioning_model == "SPOT"
    assert instance.scheduling.preemption_notice_duration.seconds == 30
    assert instance.metadata.items[0].key == "created-by"
    assert [each.name for each in cloud.instances.list(project=PROJECT, zone=cloud.place(member)["zone"])] == [
        member.name
    ]


def test_deleting_a_machine_lowers_the_target_and_leaves_the_others_alone(cloud: ComputeCloud) -> None:
    """The named machine gets SIGTERM and goes; those that stay keep their boot."""
    cloud.resize(3)
    first, *others = cloud.settled(3)
    before = {process["name"]: process["boot_id"] for process in cloud.processes()}

    cloud.delete(first.instance)

    assert cloud.get().target_size == 2
    assert {member.name for member in cloud.settled(2)} == {member.name for member in others}
    assert len(cloud.notes("term", vm=first.name)) == 1
    assert all(process["boot_id"] == before[process["name"]] for process in cloud.processes())
    with pytest.raises(exceptions.NotFound):
        cloud.instances.get(**cloud.place(first))


def test_growing_leaves_those_that_are_there_alone(cloud: ComputeCloud) -> None:
    """Each step up adds to the members; none is stopped or booted anew."""
    for size in (1, 3, 4):
        before = {process["boot_id"] for process in cloud.processes()}
        cloud.resize(size)
        cloud.settled(size)
        assert before <= {process["boot_id"] for process in cloud.processes()}

    assert cloud.notes("term") == []


def test_resize_down_takes_the_newest(cloud: ComputeCloud) -> None:
    """The group chooses its victims from the end."""
    cloud.resize(1)
    [oldest] = cloud.settled(1)
    cloud.resize(3)
    cloud.settled(3)

    cloud.resize(1)

    assert [member.name for member in cloud.settled(1)] == [oldest.name]
    cloud.resize(0)
    cloud.settled(0)


def test_machines_above_the_quota_wait_and_say_why(cloud: ComputeCloud) -> None:
    """The resize succeeds; the surplus shows a quota error, and starts when there is room again."""
    cloud.resize(5)

    waiting = until(
        lambda: [member for member in cloud.members() if member.current_action == "CREATING" and member.last_attempt],
        "a refused machine",
    )

    assert len(cloud.members()) == 5
    assert len(waiting) == 1
    assert waiting[0].last_attempt.errors.errors[0].code == "QUOTA_EXCEEDED"
    assert not waiting[0].instance_status
    assert not cloud.get().status.is_stable
    [error, *_] = cloud.managers.list_errors(**cloud.group)
    assert error.error.code == "QUOTA_EXCEEDED"
    assert "Quota" in error.error.message
    assert error.instance_action_details.instance == waiting[0].instance

    victim = until(lambda: [member for member in cloud.members() if member.instance_status == "RUNNING"], "one up")[0]
    cloud.delete(victim.instance)
    assert waiting[0].name in {member.name for member in cloud.settled(4)}


def test_create_and_recreate_instances(cloud: ComputeCloud) -> None:
    """A machine can be asked for by name, and be made anew under that name."""
    configuration = compute_v1.PerInstanceConfig(name="workers-mine")
    create = compute_v1.RegionInstanceGroupManagersCreateInstancesRequest(instances=[configuration])
    operation = cloud.managers.create_instances(
        **cloud.group, region_instance_group_managers_create_instances_request_resource=create
    )
    done(operation)
    [member] = cloud.settled(1)
    assert member.name == "workers-mine"
    assert cloud.get().target_size == 1

    recreate = compute_v1.RegionInstanceGroupManagersRecreateRequest(instances=[member.instance])
    operation = cloud.managers.recreate_instances(
        **cloud.group, region_instance_group_managers_recreate_request_resource=recreate
    )
    done(operation)

    until(lambda: [found.id for found in cloud.members()] != [member.id], "another machine")
    assert [found.name for found in cloud.settled(1)] == [member.name]
    assert len({entry["boot_id"] for entry in cloud.notes("start")}) == 2


def test_a_call_repeated_with_its_request_id_changes_nothing(cloud: ComputeCloud) -> None:
    """A retry whose first answer was lost gets the first answer."""
    resize = compute_v1.ResizeRegionInstanceGroupManagerRequest(**cloud.group, size=2, request_id=str(uuid.uuid4()))
    first = cloud.managers.resize(resize)
    cloud.resize(1)

    again = cloud.managers.resize(resize)

    assert again.name == first.name
    assert cloud.get().target_size == 1


def test_operations_are_done_and_can_be_looked_up(cloud: ComputeCloud) -> None:
    """The operations clients find what a change was, wait for it and list it."""
    operation = cloud.managers.resize(**cloud.group, size=1)
    [member] = cloud.settled(1)
    place = cloud.place(member)
    reset = cloud.instances.reset(**place)
    where = {"project": PROJECT, "region": REGION, "operation": operation.name}

    assert cloud.region_operations.get(**where).status == compute_v1.Operation.Status.DONE
    assert cloud.region_operations.wait(**where).operation_type == "compute.instanceGroupManagers.resize"
    zonal = cloud.zone_operations.wait(project=PROJECT, zone=place["zone"], operation=reset.name)
    assert (zonal.operation_type, zonal.target_id) == ("reset", member.id)
    [newest, *_] = cloud.region_operations.list(project=PROJECT, region=REGION)
    assert newest.name == operation.name


@pytest.mark.parametrize("wrong", ["project", "region", "instance_group_manager"])
def test_a_wrong_name_is_not_found(cloud: ComputeCloud, wrong: str) -> None:
    """A typo anywhere in the address is a 404 that names the resource."""
    with pytest.raises(exceptions.NotFound, match=r"The resource 'projects/.*' was not found"):
        cloud.managers.get(**cloud.group | {wrong: "typo"})


def test_wrong_arguments_are_refused(cloud: ComputeCloud) -> None:
    """Negative sizes, strangers, unknown instances, operations and calls each get the error that Google gives."""
    with pytest.raises(exceptions.BadRequest):
        cloud.managers.resize(**cloud.group, size=-1)
    with pytest.raises(exceptions.BadRequest, match="not a member"):
        cloud.delete(f"zones/{REGION}-a/instances/stranger")
    with pytest.raises(exceptions.NotFound):
        cloud.instances.reset(project=PROJECT, zone=f"{REGION}-a", instance="stranger")
    with pytest.raises(exceptions.NotFound):
        cloud.region_operations.get(project=PROJECT, region=REGION, operation="never")
    with pytest.raises(exceptions.MethodNotImplemented):
        cloud.instances.suspend(project=PROJECT, zone=f"{REGION}-a", instance="stranger")


def test_lists_can_be_filtered_and_paged(cloud: ComputeCloud) -> None:
    """The client walks through small pages, and a filter picks one machine."""
    cloud.resize(3)
    members = cloud.settled(3)
    small = compute_v1.ListManagedInstancesRegionInstanceGroupManagersRequest(**cloud.group, max_results=1)
    named = compute_v1.ListManagedInstancesRegionInstanceGroupManagersRequest(
        **cloud.group, filter=f'(name = "{members[1].name}") AND (instanceStatus = RUNNING)'
    )

    assert [member.name for member in cloud.managers.list_managed_instances(small)] == [each.name for each in members]
    assert [member.name for member in cloud.managers.list_managed_instances(named)] == [members[1].name]
