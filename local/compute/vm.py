"""A virtual machine while it exists: its metadata server, and the guest process of its present boot."""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from local.compute import process_tree
from local.compute.instance import Instance
from local.compute.settings import Settings
from local.metadata import Facts, MetadataServer

POLL_SECONDS = 0.1

# Below what systems give to outgoing connections, one of which could else take the port while this server is restarted.
METADATA_PORTS = range(12000, 20000)

#: Names the machine in the environment of all its processes; see ``sweep``.
MARK = "SPOTMILL_LOCAL_VM"

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
BOOTSTRAP = f"import sys; sys.path.insert(0, {str(PACKAGE_ROOT)!r}); from local.compute.guest import main; main()"


class Vm:
    """The running side of one instance. Changes of its record are the group's business, but for what a boot sets."""

    def __init__(self, instance: Instance, settings: Settings, went_off: Callable[["Vm"], None]) -> None:
        self.instance = instance
        self.settings = settings
        self.went_off = went_off
        self.metadata = MetadataServer(self.facts)
        self.off = asyncio.Event()
        self.off.set()
        #: One change of power at a time
        self.power = asyncio.Lock()
        self._pidfd: int | None = None
        self._watch: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._cutting: asyncio.Task[None] | None = None

    def facts(self) -> Facts:
        instance, settings = self.instance, self.settings
        creator = f"projects/{settings.project_number}/regions/{settings.region}/instanceGroupManagers/{settings.group}"
        return Facts(
            project=settings.project,
            project_number=settings.project_number,
            zone=instance.zone,
            name=instance.name,
            id=instance.id,
            machine_type=settings.machine_type,
            service_account=settings.service_account,
            preempted=instance.preempted,
            maintenance_event="TERMINATE_ON_HOST_MAINTENANCE" if instance.preempted else "NONE",
            attributes={"created-by": creator, "local-boot-id": instance.boot_id},
        )

    @property
    def directory(self) -> Path:
        return self.settings.vm_dir(self.instance.name)

    @property
    def console(self) -> Path:
        return self.directory / "console.log"

    @property
    def scratch(self) -> Path:
        return self.directory / "scratch"

    async def listen(self) -> bool:
        """Open the metadata server; whether it has the port that it had before.

        Raises:
            OSError: no port is free.
        """
        before = self.instance.metadata_port
        choices = [before] if before else []
        choices += random.sample(METADATA_PORTS, len(METADATA_PORTS))
        while self.metadata.port == 0:
            try:
                await self.metadata.start(choices.pop(0))
            except OSError:
                if not choices:
                    raise
        self.instance.metadata_port = self.metadata.port
        return before == self.metadata.port

    def boot(self) -> None:
        """Start the guest with a new boot id."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.instance.boot_id = str(uuid.uuid4())
        address = f"127.0.0.1:{self.metadata.port}"
        environment = {
            **os.environ,
            **self.settings.environment,
            "GCE_METADATA_HOST": address,
            "GCE_METADATA_IP": address,
            "SPOTMILL_BOOT_ID": self.instance.boot_id,
            MARK: mark(self.settings, self.instance.name),
        }
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-I", "-S", "-c", BOOTSTRAP, str(self.scratch), *self.settings.command],
            environment,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.console), appending, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        born = process_tree.entry(pid)
        self.instance.guest_pid, self.instance.guest_born = pid, born.born if born else ""
        self.instance.started_at = time.time()
        self._follow()
        self.metadata.announce()

    def adopt(self) -> bool:
        """Take over the guest that an earlier server started, if it still runs."""
        if not process_tree.alive(self.instance.guest_pid, self.instance.guest_born):
            return False
        try:
            self._follow()
        except ProcessLookupError:  # between the look and the hold
            return False
        process_tree.send(self.instance.guest_pid, signal.SIGCONT)  # that server may have died in a power cut
        return True

    def shut_down(self, patience_seconds: float) -> None:
        """Ask the guest to power off, and cut its power when the patience is over."""
        process_tree.send(self.instance.guest_pid, signal.SIGTERM)
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(max(0.0, patience_seconds), self._lose_patience)

    async def cut(self) -> None:
        """A power cut: every process of the machine is dead when this returns."""
        if not self.off.is_set():
            await asyncio.to_thread(process_tree.end, self.instance.guest_pid)
            await self.off.wait()

    async def close(self) -> None:
        """Take down what serves the machine; the machine itself is off, or is left to run."""
        self._cancel_timer()
        if self._watch is not None:
            self._watch.cancel()
        if self._pidfd is not None:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None
        await self.metadata.stop()

    def wipe(self) -> None:
        """Take the disk away at once and delete it in the background: it may hold many gigabytes."""
        rubbish = self.directory / f"discarded-{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            self.scratch.rename(rubbish)
        asyncio.get_running_loop().run_in_executor(None, lambda: shutil.rmtree(rubbish, ignore_errors=True))

    def _follow(self) -> None:
        loop = asyncio.get_running_loop()

        def ended() -> None:
            self._cancel_timer()
            if self._pidfd is not None:
                loop.remove_reader(self._pidfd)
                os.close(self._pidfd)
                self._pidfd = None
            with contextlib.suppress(ChildProcessError):  # adopted: somebody else buries it
                os.waitpid(self.instance.guest_pid, os.WNOHANG)
            self.off.set()
            self.went_off(self)

        if sys.platform == "linux":
            self._pidfd = os.pidfd_open(self.instance.guest_pid)
            self.off.clear()
            loop.add_reader(self._pidfd, ended)
        else:
            self.off.clear()
            self._watch = loop.create_task(self._poll(ended))

    async def _poll(self, ended: Callable[[], None]) -> None:
        # A process that is not our child can only be asked after.
        while process_tree.alive(self.instance.guest_pid, self.instance.guest_born):  # noqa: ASYNC110 - see above
            await asyncio.sleep(POLL_SECONDS)
        ended()

    def _lose_patience(self) -> None:
        self._cutting = asyncio.get_running_loop().create_task(self.cut())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def mark(settings: Settings, instance: str) -> str:
    return f"{settings.data_dir}:{instance}"
