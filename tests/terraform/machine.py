"""A worker VM as far as it can be here: the files and commands of a plan's cloud-init, stand-ins for the rest.

Nothing of this machine is touched: commands find only what ``_TOOLS`` and the stand-ins name, and every absolute path
of the VM is one below a directory of the test.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

#: What the scripts use of a system, and what can do no harm.
_TOOLS = ("bash", "base64", "curl", "install", "mv", "sed", "timeout", "tr")
#: Of these the scripts get a stand-in that writes down how it was called.
_STAND_INS = ("docker", "docker-credential-gcr", "iptables", "ip6tables", "sysctl")
#: Programs that units call; a test of their form wants them to exist.
_PROGRAMS = ("bin/bash", "bin/mount", "usr/bin/cos-extensions", "usr/bin/docker", "usr/bin/timeout")

_STAND_IN = Path(__file__).with_name("stand_in.py")


def written_files(cloud_init: str) -> dict[str, str]:
    """Return what cloud-init writes: path to content."""
    assert cloud_init.startswith("#cloud-config\n")
    return {file["path"]: file["content"] for file in yaml.safe_load(cloud_init)["write_files"]}


def unit_settings(text: str) -> dict[str, list[str]]:
    """Return the settings of a unit's sections, all together, each with its values in order."""
    joined = re.sub(r"\\\n\s*", "", text)
    found: dict[str, list[str]] = {}
    for line in joined.splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@dataclass
class Google:
    """A metadata server and a Secret Manager on loopback."""

    secrets: dict[str, str]  #: what an access to a version answers, as it goes over the wire
    asked: list[tuple[str, str]] = field(default_factory=list)  #: path, and the header that vouches for it
    refusals: int = 0  #: how many requests are answered 503 first
    port: int = 0

    def answer(self, path: str, headers: Mapping[str, str]) -> tuple[int, str]:
        """Answer as Google does: no token without its header, no secret without the token."""
        flavor, bearer = headers.get("Metadata-Flavor", ""), headers.get("Authorization", "")
        self.asked.append((path, flavor or bearer))
        if self.refusals:
            self.refusals -= 1
            return 503, "{}"
        if path == "/computeMetadata/v1/instance/service-accounts/default/token":
            token = {"access_token": "ya29.a_token-of.the_vm", "expires_in": 3599, "token_type": "Bearer"}
            return (200, json.dumps(token)) if flavor == "Google" else (403, "{}")
        version = path.removeprefix("/v1/").removesuffix(":access")
        if bearer != "Bearer ya29.a_token-of.the_vm" or version not in self.secrets:
            return 403, json.dumps({"error": {"code": 403, "message": "Permission denied"}})
        payload = {"name": version, "payload": {"data": self.secrets[version], "dataCrc32c": "1"}}
        return 200, json.dumps(payload, indent=2)


@contextmanager
def serving(google: Google) -> Iterator[Google]:
    """Serve it for a while."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = google.answer(self.path, dict(self.headers.items()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    google.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield google
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Machine:
    """The VM's disk below ``root``, and its worker unit."""

    def __init__(self, root: Path, cloud_init: str) -> None:
        self.root = root
        self.files = written_files(cloud_init)
        for path, content in self.files.items():
            place = root / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(content)
        self.unit = unit_settings(self.files["/etc/systemd/system/spotmill-worker.service"])
        self.runtime = root / "run/spotmill"
        self.runtime.mkdir(parents=True, mode=0o700)
        self.changed: dict[str, str] = {}  #: what a test wants otherwise than vm.env says
        self.calls = root / "calls.jsonl"
        self.calls.touch()
        self._bin = root / "path"
        self._bin.mkdir()
        for tool in _TOOLS:
            (self._bin / tool).symlink_to(shutil.which(tool) or tool)
        for name in _STAND_INS:
            (self._bin / name).write_text(f"#!{sys.executable} -IS\n{_STAND_IN.read_text()}")
            (self._bin / name).chmod(0o755)

    def add_programs(self) -> None:
        """Put something where units look for programs, for a check of their form."""
        for program in _PROGRAMS:
            place = self.root / program
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text("#!/bin/sh\n")
            place.chmod(0o755)

    @property
    def environment(self) -> dict[str, str]:
        """What systemd gives to the unit's commands; PATH leads to nothing that could touch this machine."""
        pairs = [line.split("=", 1) for line in self.files["/etc/spotmill/vm.env"].splitlines()]
        given = dict(pairs) | {"SCRATCH": str(self.root / "scratch")} | self.changed
        own = {"PATH": str(self._bin), "RUNTIME_DIRECTORY": str(self.runtime), "HOME": str(self.runtime)}
        return given | own | {"STAND_IN_CALLS": str(self.calls)}

    def words(self, command: str) -> list[str]:
        """Split a command as systemd does, with this machine's places for those of the VM."""
        environment = self.environment
        words: list[str] = []
        for word in shlex.split(command.removeprefix("-")):
            if match := re.fullmatch(r"\$(\w+)", word):  # unbraced and alone: as many words as it has
                words += environment[match[1]].split()
            else:
                words.append(re.sub(r"\$\{(\w+)\}", lambda found: environment[found[1]], word))
        words = [str(self._bin / Path(word).name) if word.lstrip("/") in _PROGRAMS else word for word in words]
        own = ("/etc/spotmill/", "/run/spotmill/")
        return [str(self.root / word.lstrip("/")) if word.startswith(own) else word for word in words]

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of the unit's commands to its end."""
        return subprocess.run(
            self.words(command),
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def start(self, command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start one of the unit's commands."""
        return subprocess.Popen(self.words(command), env=self.environment | environment)

    def called(self, program: str) -> list[list[str]]:
        """Return the arguments of each call of a stand-in."""
        calls = [json.loads(line) for line in self.calls.read_text().splitlines()]
        return [words[1:] for words in calls if words[0] == program]

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process if it still runs."""
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
