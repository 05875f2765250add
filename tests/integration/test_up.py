"""``spotmill up`` starts everything, keeps it running, and leaves nothing behind."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from local import marked
from local.ports import is_free
from local.site import Site
from tests.cloud import Cloud, launch, running, wait_for, wait_until_ready

# DESIGN section 8
PROMISED = {
    "DATABASE_URL",
    "GOOGLE_CLOUD_PROJECT",
    "PUBSUB_EMULATOR_HOST",
    "SPOTMILL_COMPUTE_ENDPOINT",
    "SPOTMILL_DISPATCHER_URL",
    "SPOTMILL_INGEST_TOPIC",
    "SPOTMILL_INSTANCE_GROUP",
    "SPOTMILL_JOBS_SUBSCRIPTION",
    "SPOTMILL_JOBS_TOPIC",
    "SPOTMILL_REGION",
    "SPOTMILL_RESULT_BUCKET",
    "SPOTMILL_SIGNER_KEY",
    "SPOTMILL_UPLOAD_BUCKET",
    "SPOTMILL_WEB_URL",
    "STORAGE_EMULATOR_HOST",
}
SERVERS = {"compute", "dispatcher", "eventarc", "gcs", "postgres", "pubsub", "scheduler", "web"}


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud of this module's own, in a directory whose name has a space; these tests kill parts of it."""
    with running(tmp_path_factory.mktemp("up") / "my data", "--port", "0", "--max-workers", "2") as started:
        yield started


def health(cloud: Cloud) -> int:
    """Ask the web service; 0 if nobody answers."""
    try:
        with urlopen(f"{cloud.web_url}/api/v1/health", timeout=5) as answer:
            return int(answer.status)
    except (URLError, OSError):
        return 0


def jobs_of(cloud: Cloud, name: str) -> int:
    """Count the jobs of an object; 0 while the database is away."""
    try:
        with cloud.engine.connect() as connection:
            return int(
                connection.execute(text("SELECT count(*) FROM jobs WHERE object = :name"), {"name": name}).scalar_one()
            )
    except DBAPIError:
        return 0


def upload(cloud: Cloud, name: str) -> None:
    """Write an object; retries of the client ride over a storage server that is just starting again."""
    cloud.uploads.blob(name).upload_from_string(b"words", content_type="text/plain")


def boot_two_vms(cloud: Cloud) -> None:
    """Have two "VMs" run, whose processes are children of nobody we know."""
    project, region, group = cloud.settings.project, cloud.settings.region, cloud.settings.instance_group
    cloud.groups.resize(project=project, region=region, instance_group_manager=group, size=2)

    def running_vms() -> bool:
        managed = list(
            cloud.groups.list_managed_instances(project=project, region=region, instance_group_manager=group)
        )
        return len(managed) == 2 and all(instance.instance_status == "RUNNING" for instance in managed)

    wait_for(running_vms, timeout=60)
    wait_for(lambda: len([p for p in marked.belonging(cloud.data_dir) if "worker" in _words(p)]) >= 2, timeout=60)


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def assert_nothing_is_left(cloud: Cloud, ports: dict[str, int]) -> None:
    """No process of the data directory lives, and none of its ports is bound."""
    wait_for(lambda: not marked.belonging(cloud.data_dir), what="every process is gone")
    wait_for(lambda: all(map(is_free, ports.values())), what="every port is free")


def ports_of(cloud: Cloud) -> dict[str, int]:
    return dict(Site.read(cloud.data_dir).ports)


def test_it_prints_the_url_and_the_page_answers(up: Cloud) -> None:
    """The last line of the start names an address that works."""
    assert f": {up.web_url} " in up.output.read_text()
    assert health(up) == 200


def test_local_env_says_all_that_is_promised(up: Cloud) -> None:
    """Every name of the design is there, and its value is usable."""
    assert up.environment.keys() >= PROMISED
    assert all(up.environment.values())
    assert json.loads(Path(up.environment["SPOTMILL_SIGNER_KEY"]).read_text())["type"] == "service_account"
    with up.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pipelines")).scalar_one() >= 1


def test_secrets_are_for_their_owner_only(up: Cloud) -> None:
    """Nobody else on the machine can read a password or a key."""
    files = [up.data_dir / "local.env", up.data_dir / "site.json", Path(up.environment["SPOTMILL_SIGNER_KEY"])]
    files += sorted((up.data_dir / "env").iterdir())
    assert len(files) == 6
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_each_service_has_a_role_of_its_own(up: Cloud) -> None:
    """Web, dispatcher and worker sign in to the database as members of their own group role, and own nothing."""
    with up.engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT m.rolname, g.rolname, m.rolsuper, m.rolbypassrls FROM pg_auth_members a "
                "JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid WHERE m.rolname LIKE 'local%'"
            )
        )
        assert sorted(map(tuple, rows)) == [
            (f"local_{service}", f"spotmill_{service}", False, False) for service in ("dispatcher", "web", "worker")
        ]


def test_nothing_but_loopback_is_bound(up: Cloud) -> None:
    """No process, "VMs" and their metadata servers included, listens where another machine could reach it."""
    boot_two_vms(up)
    bound = {
        (process.name(), connection.laddr.ip.removeprefix("::ffff:"))  # how gRPC's sockets write IPv4
        for process in [psutil.Process(up.process.pid), *marked.belonging(up.data_dir)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert bound
    assert {address for _, address in bound} == {"127.0.0.1"}, bound


def test_a_second_one_is_told_who_has_the_data(up: Cloud) -> None:
    """Two clouds never share a data directory; the message names the process and the page."""
    second = launch(up.data_dir, "--port", "0")
    assert second.process.wait(30) == 1
    said = second.output.read_text()
    assert f"process {up.process.pid} ({up.web_url})" in said
    assert health(up) == 200


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """A port that something else has is an error that says which and what to do, before anything starts."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        cloud = launch(tmp_path / "data", "--port", str(port))
        assert cloud.process.wait(30) == 1
        assert f"port {port} is in use" in cloud.output.read_text()
        assert "--port" in cloud.output.read_text()
    assert not marked.belonging(cloud.data_dir)


def test_a_failing_start_shows_why_and_leaves_nothing(tmp_path: Path) -> None:
    """When a server cannot start, the end of its log is on the terminal, and the others are stopped."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    (data_dir / "gcs").write_text("no directory")
    cloud = launch(data_dir, "--port", "0")
    assert cloud.process.wait(60) == 1
    said = cloud.output.read_text()
    assert "Cloud Storage ended while starting" in said
    assert "logs/gcs.log" in said
    assert cloud.log("gcs").splitlines()[-1].strip() in said
    assert not (data_dir / "local.env").exists()
    assert_nothing_is_left(cloud, ports_of(cloud))


@pytest.mark.parametrize("server", sorted(SERVERS))
def test_a_killed_server_comes_back(up: Cloud, server: str) -> None:
    """After kill -9 of any server uploads become jobs again, without anybody's help."""
    assert up.pids().keys() == SERVERS
    up.kill(server)
    name = f"after {server}.txt"
    upload(up, name)
    wait_for(lambda: jobs_of(up, name) == 1, timeout=60, what=f"{name} became a job")
    wait_for(lambda: health(up) == 200, timeout=60)
    assert "starting it again" in up.output.read_text()


def test_ctrl_c_leaves_nothing_and_the_next_start_finds_all(tmp_path: Path) -> None:
    """Everything ends on Ctrl-C, "VMs" included; the next start has the same data at the same addresses."""
    with running(tmp_path / "data") as cloud:
        boot_two_vms(cloud)
        upload(cloud, "kept.txt")
        wait_for(lambda: jobs_of(cloud, "kept.txt") == 1)
        ports = ports_of(cloud)
        assert cloud.stop(signal.SIGINT) == 0
        assert_nothing_is_left(cloud, ports)
        assert not (cloud.data_dir / "local.env").exists()
    with running(tmp_path / "data") as again:
        assert ports_of(again) == ports
        assert jobs_of(again, "kept.txt") == 1
        assert again.uploads.blob("kept.txt").download_as_bytes() == b"words"
        upload(again, "new.txt")
        wait_for(lambda: jobs_of(again, "new.txt") == 1)


def test_kill_9_of_up_leaves_nothing_and_the_next_start_is_clean(tmp_path: Path) -> None:
    """When spotmill up itself is killed, all that it started goes with it, "VMs" included, and no data is lost."""
    with running(tmp_path / "data") as cloud:
        boot_two_vms(cloud)
        upload(cloud, "kept.txt")
        wait_for(lambda: jobs_of(cloud, "kept.txt") == 1)
        ports = ports_of(cloud)
        cloud.stop(signal.SIGKILL)
        assert_nothing_is_left(cloud, ports)
    with running(tmp_path / "data") as again:
        assert jobs_of(again, "kept.txt") == 1
        assert again.uploads.blob("kept.txt").download_as_bytes() == b"words"


def test_an_impatient_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    """The second Ctrl-C, even in the middle of starting, kills all there is."""
    cloud = launch(tmp_path / "data", "--port", "0")
    wait_for(lambda: (cloud.data_dir / "pids.json").exists() and "postgres" in cloud.pids())
    cloud.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Stopping" in cloud.output.read_text())
    cloud.process.send_signal(signal.SIGINT)
    cloud.process.wait(15)
    assert_nothing_is_left(cloud, ports_of(cloud))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else; all other tests ran as this user")
def test_an_ordinary_user_can_run_it(tmp_path: Path) -> None:
    """Nothing needs root: without any of its powers everything starts and works."""
    somebody = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
    if shutil.which("unshare") is None or subprocess.run([*somebody, "true"], check=False).returncode != 0:
        pytest.skip("user namespaces are not allowed here")
    cloud = launch(tmp_path / "data", "--port", "0", prefix=somebody)
    try:
        wait_until_ready(cloud)
        upload(cloud, "mine.txt")
        wait_for(lambda: jobs_of(cloud, "mine.txt") == 1)
    finally:
        cloud.close()
        cloud.stop()
