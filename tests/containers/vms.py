"""Worker VMs whose agent runs in a container, with the flags that images/README.md asks for."""

import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from local.metadata import Facts
from tests.agents import PIPELINES, PROJECT, Machines
from tests.containers.engine import REPOSITORY, Container, Image

#: Where a container finds the trial pipelines, and a folder that tests and pipelines both write to.
_TRIAL, MEETING = "/trial", "/meeting"


def flags() -> list[str]:
    """The flags of ``docker run`` in the README, less those that name this one VM's files and image."""
    page = (REPOSITORY / "images" / "README.md").read_text()
    found = re.search(r"```sh\ndocker run (.*?)```", page, re.DOTALL)
    assert found is not None
    words = shlex.split(found[1].replace("\\\n", ""))[:-1]  # the image
    named = {"--name", "--network", "--volume", "--env-file"}
    return [w for i, w in enumerate(words) if w not in {"--rm", *named} and (i == 0 or words[i - 1] not in named)]


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
