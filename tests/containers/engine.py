"""Builds images with buildah and runs them with podman, as Docker would, from a base and in a store of our own."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.terraform.terraform import locked

REPOSITORY = Path(__file__).parents[2]
#: What goes into images, beside the base: what .dockerignore lets through, and the recipe.
_CONTEXT = (
    "LICENSE",
    "README.md",
    "eventarc",
    "images",
    "locks",
    "pyproject.toml",
    "services",
    "shared",
    "spotmill",
    "worker",
)
#: How pip reaches its registry where that takes more than a name.
_REGISTRY = ("/etc/pip.conf", "/etc/ssl/certs")
_BASE = "localhost/spotmill-base"
#: Debian's own recipe of its slim image, in a word.
_DEBIAN = (
    "--variant=minbase",
    "--include=ca-certificates,usr-is-merged",
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*',
    "bookworm",
)
_BUILD_SECONDS = 900
#: How long layers that no image of today needs are kept for a build.
_KEPT = "until=168h"


class UnavailableError(Exception):
    """Containers cannot be built or run on this machine; the text says why."""


class ContainerError(Exception):
    """A container ended otherwise than it should have; the text has its log."""


class Container:
    """A container that was started."""

    def __init__(self, engine: "Engine", name: str) -> None:
        self._engine = engine
        self.name = name

    def stop(self, seconds: int) -> int:
        """Do as ``docker stop -t`` does: SIGTERM, and SIGKILL after so many seconds; return the exit status."""
        self._engine.podman("stop", "--time", str(seconds), self.name)
        return self.wait()

    def kill(self, signal: str = "KILL") -> None:
        self._engine.podman("kill", "--signal", signal, self.name)

    def wait(self) -> int:
        """Wait for its end; return the exit status."""
        return int(self._engine.podman("wait", self.name))

    @property
    def running(self) -> bool:
        return self._engine.podman("container", "inspect", "--format", "{{.State.Running}}", self.name) == "true"

    def run(self, *command: str) -> str:
        """Run a command inside, as its user; return what it prints."""
        return self._engine.podman("exec", self.name, *command)

    def log(self) -> str:
        """What it has written so far."""
        done = subprocess.run(
            [*self._engine.base_command, "logs", self.name], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    def events(self, message: str) -> list[dict[str, Any]]:
        """The log's events of this name."""
        lines = [line for line in self.log().splitlines() if line.startswith("{")]
        return [event for event in map(json.loads, lines) if event.get("message") == message]

    def remove(self) -> None:
        self._engine.podman("rm", "--force", "--time", "0", self.name)


@dataclass(frozen=True)
class Image:
    """A built image."""

    engine: "Engine"
    name: str

    @cached_property
    def description(self) -> dict[str, Any]:
        """What ``docker inspect`` says about it."""
        found: list[dict[str, Any]] = json.loads(self.engine.podman("image", "inspect", self.name))
        return found[0]

    @property
    def size_bytes(self) -> int:
        return int(self.description["Size"])

    @contextmanager
    def files(self) -> Iterator[Path]:
        """Its file system, to look at."""
        root = Path(self.engine.podman("image", "mount", self.name))
        try:
            yield root
        finally:
            self.engine.podman("image", "unmount", self.name)

    @contextmanager
    def running(
        self, *options: str, environment: Mapping[str, str] | None = None, command: tuple[str, ...] = ()
    ) -> Iterator[Container]:
        """Start it on this machine's network."""
        container = self.engine.start(self.name, *options, environment=environment or {}, command=command)
        try:
            yield container
        finally:
            container.remove()

    def result(self, *options: str, environment: Mapping[str, str] | None = None, command: tuple[str, ...] = ()) -> str:
        """Run it to its end; return what it prints.

        Raises:
            ContainerError: its exit status is not 0.
        """
        with self.running(*options, environment=environment, command=command) as container:
            if (status := container.wait()) != 0:
                raise ContainerError(f"{self.name} ended with {status}: {container.log()}")
            return container.log()


class Engine:
    """A store of images in the user's cache, and the programs that fill and use it."""

    def __init__(self) -> None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spotmill" / "containers"
        self._lock = cache / "lock"
        store = ("--root", str(cache / "store"), "--runroot", str(cache / "run"), "--storage-driver", "overlay")
        self._buildah = ("buildah", *store)
        self.base_command = (
            *("podman", *store, "--tmpdir", str(cache / "tmp"), "--runtime", "runc"),
            *("--cgroup-manager", "cgroupfs", "--events-backend", "none", "--log-level", "error"),
        )

    def prepare(self) -> None:
        """Install what is missing, make the base, and try it.

        Raises:
            UnavailableError: that is not possible here.
        """
        with locked(self._lock):
            done = subprocess.run(
                ["bash", Path(__file__).with_name("engine.sh")], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise UnavailableError(done.stderr.strip().splitlines()[-1])
            if not self._has(self.base):
                self._make_base()
            try:
                self.podman("run", "--rm", *self._limits, "--network", "host", self.base, "true")
            except ContainerError as error:
                raise UnavailableError(f"Containers are not tested, as none can be started here: {error}") from None

    @cached_property
    def base(self) -> str:
        """The image that stands for Debian's slim one."""
        return f"{_BASE}:{hashlib.sha256(repr(_DEBIAN).encode()).hexdigest()[:16]}"

    def build(self, target: str, *, base: str | None = None, **arguments: str) -> Image:
        """Build a target of ``images/Dockerfile`` from this working tree, unless that was done before."""
        base = base or self.base
        with locked(self._lock):
            name = f"localhost/spotmill-{target}:{self._digest(base, arguments)}"
            if not self._has(name):
                self._build(target, name, {"BASE_IMAGE": base, **arguments})
                self._tidy(name)
        return Image(self, name)

    def derive(self, name: str, recipe: str) -> str:
        """Build an image of a few lines; return its name."""
        self._run([*self._buildah, *self._bud, "--tag", name, "--file", "-", str(Path(__file__).parent)], recipe)
        return name

    def start(self, image: str, *options: str, environment: Mapping[str, str], command: tuple[str, ...]) -> Container:
        """Start a container in the background."""
        told = [word for pair in environment.items() for word in ("--env", "=".join(pair))]
        usual = ("--detach", "--network", "host", *self._limits)
        return Container(self, self.podman("run", *usual, *options, *told, image, *command))

    def podman(self, *arguments: str) -> str:
        """Run one command; return what it prints.

        Raises:
            ContainerError: it failed.
        """
        return self._run([*self.base_command, *arguments])

    @property
    def _limits(self) -> tuple[str, ...]:
        """Limits that every machine lets us set: podman's own may be above those of this process."""
        kinds = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
        most = {name: min(4096, resource.getrlimit(kind)[1] % 2**63) for name, kind in kinds.items()}
        return tuple(word for name, limit in most.items() for word in ("--ulimit", f"{name}={limit}:{limit}"))

    @property
    def _bud(self) -> tuple[str, ...]:
        mounts = [word for path in _REGISTRY if Path(path).exists() for word in ("--volume", f"{path}:{path}:ro")]
        return ("bud", "--layers", "--pull-never", "--isolation", "chroot", "--network", "host", *mounts)

    def _build(self, target: str, name: str, arguments: Mapping[str, str]) -> None:
        told = [word for pair in arguments.items() for word in ("--build-arg", "=".join(pair))]
        where = ("--file", str(REPOSITORY / "images" / "Dockerfile"), "--target", target, "--tag", name)
        self._run([*self._buildah, *self._bud, *told, *where, str(REPOSITORY)])

    def _tidy(self, name: str) -> None:
        """Forget what this target was before, and layers that nothing has used for long."""
        repository = name.rpartition(":")[0]
        for old in self.podman("images", "--format", "{{.Repository}}:{{.Tag}}", repository).split():
            if old != name:
                self.podman("rmi", "--force", old)
        self.podman("image", "prune", "--force", "--filter", _KEPT)

    def _make_base(self) -> None:
        archive = self._lock.with_name("base.tar")
        try:
            self._run(["mmdebstrap", *_DEBIAN, str(archive)])
            self.podman("import", "--quiet", str(archive), self.base)
        except ContainerError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UnavailableError(f"Containers are not tested, as no Debian can be made here: {reason}") from None
        finally:
            archive.unlink(missing_ok=True)

    def _has(self, name: str) -> bool:
        done = subprocess.run([*self.base_command, "image", "exists", name], capture_output=True, check=False)
        return done.returncode == 0

    def _digest(self, base: str, arguments: Mapping[str, str]) -> str:
        """Tell one state of what goes into an image from another."""
        digest = hashlib.sha256(json.dumps([base, dict(arguments)], sort_keys=True).encode())
        for path in sorted(file for part in _CONTEXT for file in _files(REPOSITORY / part)):
            digest.update(f"{path.relative_to(REPOSITORY)}\0{path.stat().st_mode & 0o111}\0".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    def _run(self, command: list[str], text: str | None = None) -> str:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=_BUILD_SECONDS, cwd=REPOSITORY
        )
        if done.returncode != 0:
            said = (done.stdout + done.stderr)[-6000:]
            raise ContainerError(f"{shutil.which(command[0])} ended with {done.returncode}: {said}")
        return done.stdout.strip()


def _files(part: Path) -> list[Path]:
    if part.is_file():
        return [part]
    return [path for path in part.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
