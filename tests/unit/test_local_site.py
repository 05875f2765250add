"""What a data directory remembers: ports, passwords, logs that stay small."""

import socket
import stat
from pathlib import Path

import pytest

from local import atomic, logs
from local.logs import Logs
from local.ports import assign, is_free
from local.programs import programs
from local.site import SERVICES, Site


def test_ports_stay_while_they_are_free() -> None:
    """What reconnects finds a server where it was."""
    first = assign(["one", "two"], {})
    assert assign(["one", "two"], first) == first
    assert len(set(first.values())) == 2


def test_a_port_that_somebody_took_is_replaced() -> None:
    """A listener on a stored port only means another port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert not is_free(taken)
        assert assign(["one"], {"one": taken})["one"] != taken


def test_the_port_of_the_page_is_given_to_nobody_else() -> None:
    """A port named on the command line is kept out of the choice."""
    stored = assign(["one"], {})
    assert assign(["one"], stored, avoid=stored["one"]) != stored


def test_a_site_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Ports and passwords outlive the process, and only their owner can read them."""
    first = Site.open(tmp_path, web_port=0, max_workers=2)
    again = Site.open(tmp_path, web_port=0, max_workers=2)
    assert again == first
    assert Site.read(tmp_path) == first
    assert stat.S_IMODE((tmp_path / "site.json").stat().st_mode) == 0o600


def test_a_moved_directory_takes_its_data_along(tmp_path: Path) -> None:
    """Nothing that is stored says where the directory was."""
    first = Site.open(tmp_path / "a", web_port=0, max_workers=1)
    (tmp_path / "a").rename(tmp_path / "b")
    moved = Site.open(tmp_path / "b", web_port=0, max_workers=1)
    assert moved.passwords == first.passwords
    assert moved.signer_key.parent == tmp_path / "b"


def test_each_process_is_told_its_own_login(tmp_path: Path) -> None:
    """No two services share a database role or a password, and only the web and the owner get the signer's key."""
    site = Site.open(tmp_path, web_port=0, max_workers=1)
    urls = {name: site.environment(name)["DATABASE_URL"] for name in ("spotmill", *SERVICES)}
    assert len(set(urls.values())) == 4
    assert [name for name in urls if "SPOTMILL_SIGNER_KEY" in site.environment(name)] == ["spotmill", "web"]


def test_a_cable_lies_between_the_services_and_the_database(tmp_path: Path) -> None:
    """Services are led through it and the owner is not; without it nothing of it is mentioned."""
    plain = Site.open(tmp_path, web_port=0, max_workers=1)
    cabled = Site.open(tmp_path, web_port=0, max_workers=1, cable=True)
    ports = cabled.ports
    assert [f":{ports['cable']}/" in cabled.environment(name)["DATABASE_URL"] for name in SERVICES] == [True] * 3
    assert f":{ports['postgres']}/" in cabled.environment("spotmill")["DATABASE_URL"]
    assert cabled.environment("spotmill")["SPOTMILL_CABLE_URL"].endswith(f":{ports['cable_control']}")
    assert not any("CABLE" in variable for name in SERVICES for variable in cabled.environment(name))
    assert "cable" not in plain.ports
    assert "SPOTMILL_CABLE_URL" not in plain.environment("spotmill")


@pytest.mark.parametrize("workers", [1, 2, 64])
def test_there_is_always_a_slot(tmp_path: Path, workers: int) -> None:
    """More "VMs" than processors still get one job each."""
    assert Site(tmp_path, workers).slots >= 1


def test_a_log_that_grew_too_long_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older part is kept beside it, and a program that has it open goes on appending."""
    monkeypatch.setattr(logs, "LIMIT_BYTES", 100)
    kept = Logs(tmp_path)
    with kept.opened("server") as program:
        program.write(b"old\n" * 50)
        program.flush()
        kept.shorten()
        program.write(b"new\n")
        program.flush()
    assert kept.of("server").read_bytes() == b"new\n"
    assert (tmp_path / "server.log.1").read_bytes() == b"old\n" * 50
    assert kept.tail("server", 3) == ["new"]
    assert kept.tail("no such", 3) == []


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    """A rest of an interrupted write is no obstacle, and the new file replaces the old one."""
    (tmp_path / ".file.new").write_text("half")
    atomic.write(tmp_path / "file", "one")
    atomic.write(tmp_path / "file", "two")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "two"


def test_no_tick_comes_before_the_dispatcher_can_sign_in(tmp_path: Path) -> None:
    """The scheduler waits for the logins: a tick at the full minute was refused, and logged as a fault."""
    site = Site.open(tmp_path, web_port=0, max_workers=1)
    scheduler = next(program for program in programs(site, "you@localhost") if program.name == "scheduler")
    assert {"database", "dispatcher"} <= set(scheduler.after)
