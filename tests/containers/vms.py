"""Worker VMs whose agent runs in a container, with the flags that the VMs' unit has."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.metadata import Facts
from tests.agents import PIPELINES, PROJECT, Machines
from tests.containers.engine import REPOSITORY, Container, Image

_UNIT = REPOSITORY / "terraform" / "modules" / "workers" / "files" / "spotmill-worker.service"
#: Where a container finds the trial pipelines, and a folder that tests and pipelines both write to.
_TRIAL, MEETING = "/trial", "/meeting"


def flags() -> list[str]:
    """The flags of ``docker run`` in the VMs' unit, less those that name one VM's files, image and log."""
    unit = _UNIT.read_text().replace("\\\n", "")
    found = re.search(r"^ExecStart=/usr/bin/docker run (.*) \$GPU_OPTIONS \$\{IMAGE\}$", unit, re.MULTILINE)
    assert found is not None
    words = [word for word in shlex.split(found[1]) if word != "--rm"]
    named = {"--env-file", "--log-driver", "--name", "--network", "--volume"}
    return [word for i, word in enumerate(words) if word not in named and (i == 0 or words[i - 1] not in named)]


def stop_seconds() -> int:
    """How long the VMs' unit lets a container finish and let go, from the first SIGTERM to SIGKILL."""
    text = _UNIT.parents[1].joinpath("cloud_init.tf").read_text()
    found = dict(re.findall(r"^  (finish|let_go)_seconds *= (\d+)$", text, re.MULTILINE))
    return int(found["finish"]) + int(found["let_go"])


class ContainerVm:
    """A "VM": a metadata server, and the worker image started as its unit does."""

    def __init__(self, name: str, image: Image, machines: Machines, folder: Path) -> None:
        self.facts = Facts(PROJECT, 1, "us-central1-a", name, 1, "e2-standard-2", f"worker@{PROJECT}")
        self.scratch = folder / name
        self.scratch.mkdir(mode=0o711)
        self.meeting = folder / "meeting"
        self.meeting.mkdir(exist_ok=True)
        self.meeting.chmod(0o777)  # for the pipelines' user
        self.metadata_port = 0
        self._image = image
        self._machines = machines

    @contextmanager
    def boot(self, environment: Mapping[str, str], *, options: list[str] | None = None) -> Iterator[Container]:
        """Run the agent, which knows the trial pipelines, too."""
        metadata = self._machines.listen(self)
        self.metadata_port = metadata.port
        address = f"127.0.0.1:{metadata.port}"
        told = {
            **environment,
            "GCE_METADATA_HOST": address,
            "GCE_METADATA_IP": address,
            "PYTHONPATH": _TRIAL,
            "SPOTMILL_BOOT_ID": self.facts.name,
            "SPOTMILL_SCRATCH_DIR": "/scratch",
        }
        places = {PIPELINES: f"{_TRIAL}:ro", self.scratch: "/scratch", self.meeting: MEETING}
        volumes = [word for place, inside in places.items() for word in ("--volume", f"{place}:{inside}")]
        try:
            with self._image.running(*(flags() if options is None else options), *volumes, environment=told) as started:
                yield started
        finally:
            self._machines.close(metadata)
