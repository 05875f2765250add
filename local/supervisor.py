"""Starts programs in the order they need each other, as parallel as that allows, and keeps them running."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import atomic
from local.logs import Logs

PROBE_SECONDS = 0.03
HEALTHY_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Program:
    """A server, or a task that ends by itself (``ready`` is ``None``).

    ``after`` are the programs that must be ready before it is started. When all is stopped, programs with a lower
    ``layer`` go later.
    """

    name: str
    title: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    after: tuple[str, ...] = ()
    ready: Callable[[], Awaitable[bool]] | None = None
    layer: int = 0


class StartError(Exception):
    """A program ended, or did not answer in time."""

    def __init__(self, program: Program, reason: str) -> None:
        super().__init__(f"{program.title} {reason}")
        self.program = program


class Supervisor:
    """The programs of one data directory. All methods belong to one event loop."""

    def __init__(
        self,
        programs: Sequence[Program],
        patience_seconds: Mapping[int, float],
        logs: Logs,
        pids_file: Path,
        say: Callable[[str], None],
    ) -> None:
        """``patience_seconds`` is what the programs of a layer are given to end by themselves."""
        self._programs = {program.name: program for program in programs}
        self._patience_seconds = patience_seconds
        self._logs = logs
        self._pids_file = pids_file
        self._say = say
        self._ready = {program.name: asyncio.Event() for program in programs}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._watches: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, deadline_seconds: float, on_ready: Callable[[Program, float], None]) -> None:
        """Return when every server answers and every task is done.

        Raises:
            StartError: one of them failed; the others are left as they are, for ``stop``.
        """
        starts = [
            asyncio.create_task(self._bring_up(program, deadline_seconds, on_ready))
            for program in self._programs.values()
        ]
        try:
            await asyncio.gather(*starts)
        finally:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    async def stop(self) -> None:
        """Ask all to end, layer by layer, users before what they use."""
        self._stopping = True
        for watch in self._watches:
            watch.cancel()
        layers = sorted({program.layer for program in self._programs.values()}, reverse=True)
        for layer in layers:
            members = [program for program in self._programs.values() if program.layer == layer]
            await asyncio.gather(*(self._end(program) for program in members))
        self._pids_file.unlink(missing_ok=True)

    async def _bring_up(
        self, program: Program, deadline_seconds: float, on_ready: Callable[[Program, float], None]
    ) -> None:
        for name in program.after:
            await self._ready[name].wait()
        started = time.monotonic()
        process = await self._spawn(program)
        try:
            async with asyncio.timeout(deadline_seconds):
                await self._until_ready(program, process)
        except TimeoutError:
            raise StartError(program, f"did not answer within {deadline_seconds:.0f} s") from None
        self._ready[program.name].set()
        on_ready(program, time.monotonic() - started)
        if program.ready is not None:
            self._watches.append(asyncio.create_task(self._keep(program, process)))

    async def _until_ready(self, program: Program, process: asyncio.subprocess.Process) -> None:
        if program.ready is None:
            if await process.wait() != 0:
                raise StartError(program, f"failed ({_ending(process)})")
            del self._running[program.name]
            self._write_pids()
            return
        while not await program.ready():
            if process.returncode is not None:
                raise StartError(program, f"ended while starting ({_ending(process)})")
            await asyncio.sleep(PROBE_SECONDS)

    async def _keep(self, program: Program, process: asyncio.subprocess.Process) -> None:
        pause_seconds = 0.0
        while True:
            started = time.monotonic()
            await process.wait()
            if self._stopping:
                return
            if time.monotonic() - started > HEALTHY_SECONDS:
                pause_seconds = 0.0
            self._say(
                f"{program.title} ended ({_ending(process)}); starting it again. See {self._logs.of(program.name)}"
            )
            # Its own children must not hold the port. What is to outlive it (VMs) has left its process group.
            _kill_group(process.pid)
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(max(0.2, 2 * pause_seconds), LONGEST_PAUSE_SECONDS)
            process = await self._spawn(program)

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        with self._logs.opened(program.name) as log:
            process = await asyncio.create_subprocess_exec(
                *program.arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(program.environment),
                start_new_session=True,  # Ctrl-C in the terminal is for us alone
            )
        self._running[program.name] = process
        self._write_pids()
        return process

    async def _end(self, program: Program) -> None:
        process = self._running.get(program.name)
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), self._patience_seconds[program.layer])
            except TimeoutError:
                self._say(f"{program.title} did not end by itself")
        _kill_group(process.pid)
        await process.wait()

    def _write_pids(self) -> None:
        servers = {name: process.pid for name, process in sorted(self._running.items())}
        atomic.write(self._pids_file, json.dumps({"up": os.getpid(), "servers": servers}) + "\n")


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _ending(process: asyncio.subprocess.Process) -> str:
    code = process.returncode
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
