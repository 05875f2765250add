"""Everything that breaks: one function for each kind of fault, each of which says in words what it broke."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psutil
import requests

from eventarc.contract import read_sample
from local import marked
from tests.chaos.book import Book, MissedError, now
from tests.chaos.mill import AWAY, CALL_SECONDS, Machine, Mill, persist
from tests.chaos.network import WEATHER, Network
from tests.chaos.schedule import SERVERS, Fault, Schedule
from tests.cloud import wait_for

#: Seconds for which a fault looks for something to break.
PATIENCE_SECONDS = 120.0
RESTART_SECONDS = 120.0
#: The part of the faults that strike whichever VM, working or not.
_IDLE_SHARE = 0.4
#: Seconds for which the others wait for one that works.
_WAIT_FOR_WORK_SECONDS = 4.0

T = TypeVar("T")


class Breaker:
    """Breaks one mill. ``disk`` is the workers' scratch disk, if it is one of their own that may be filled."""

    def __init__(self, mill: Mill, book: Book, schedule: Schedule, disk: Path | None) -> None:
        self._mill = mill
        self._book = book
        self._notices = schedule.notices
        self._network = Network(mill, book, schedule.seed)
        self._starts = 1
        self._disk = disk
        self._begun: dict[Fault, float] = {}
        self._upheaval = threading.Lock()
        self.ticking = threading.Event()  #: cleared while no tick may come
        self.ticking.set()
        self.spared: set[str] = set()  #: VMs that nothing is done to, or nothing more
        self.kinds: Mapping[str, Callable[[Fault], str]] = self._workers() | self._servers() | self._fleet()

    def strike(self, fault: Fault) -> None:
        """Break it, and count."""
        self._begun[fault] = time.monotonic()
        try:
            if fault.kind in WEATHER:  # counted by the calls that it strikes
                self._network.storm(fault)
                return
            self.kinds[fault.kind](fault)
        except MissedError:
            self._book.count(self._book.missed, fault.kind)
        else:
            self._book.count(self._book.done, fault.kind)

    def calm(self) -> None:
        """Mend everything that does not mend itself."""
        self._network.clear()
        self.thaw()

    # Workers

    def _workers(self) -> dict[str, Callable[[Fault], str]]:
        return {
            "agent kill -9": self._kill_agent,
            "child kill -9": self._kill_child,
            "agent stopped": self._stop_agent,
            "child stopped": self._stop_child,
            "preemption": self._preempt,
            "power cut": lambda fault: self._order("power cut", "reset", fault),
            "VM deleted": lambda fault: self._order("VM deleted", "delete", fault),
            "host crash": self._crash_host,
            "disk full": self._fill_disk,
        }

    def _machine(self, fault: Fault) -> Machine:
        machines = self._victims(fault, self._mill.machines())
        if not machines:
            raise MissedError("no VM is on")
        return _choose(machines, fault)

    def _victims(self, fault: Fault, machines: Sequence[Machine]) -> Sequence[Machine]:
        """Leave those that work, mostly: killing the idle proves little.

        Raises:
            MissedError: nobody works at this moment; it is worth waiting a little.
        """
        machines = [machine for machine in machines if machine.name not in self.spared]
        if fault.pick * 100 % 1 < _IDLE_SHARE:
            return machines
        try:
            rows = self._mill.rows("SELECT DISTINCT worker FROM jobs WHERE status = 'running'")
        except AWAY:
            return machines
        holders = {row.worker for row in rows}
        working = [machine for machine in machines if machine.worker in holders]
        if not working and time.monotonic() - self._begun[fault] < _WAIT_FOR_WORK_SECONDS:
            raise MissedError("nobody works")
        return working or machines

    def _running(self, fault: Fault) -> tuple[Machine, psutil.Process]:
        machines = self._victims(fault, [m for m in self._mill.machines() if m.agent is not None])
        if not machines:
            raise MissedError("no agent runs")
        machine = _choose(machines, fault)
        if machine.agent is None:
            raise MissedError("no agent runs")
        return machine, machine.agent

    def _child(self, fault: Fault) -> tuple[Machine, psutil.Process]:
        machines = self._victims(fault, [m for m in self._mill.machines() if m.children()])
        children = [(machine, child) for machine in machines for child in machine.children()]
        if not children:
            raise MissedError("no child runs")
        return _choose(children, fault)

    def _kill_agent(self, fault: Fault) -> str:
        def kill() -> str:
            machine, agent = self._running(fault)
            agent.kill()
            self._book.die("agent kill -9", machine.worker)
            return machine.worker

        return persist(kill, PATIENCE_SECONDS, "an agent to kill")

    def _kill_child(self, fault: Fault) -> str:
        def kill() -> str:
            machine, child = self._child(fault)
            child.kill()
            return machine.worker

        return persist(kill, PATIENCE_SECONDS, "a child to kill")

    def _stop_agent(self, fault: Fault) -> str:
        machine, agent = persist(lambda: self._running(fault), PATIENCE_SECONDS, "an agent to stop")
        return self._freeze(machine, agent, fault.seconds)

    def _stop_child(self, fault: Fault) -> str:
        machine, child = persist(lambda: self._child(fault), PATIENCE_SECONDS, "a child to stop")
        return self._freeze(machine, child, fault.seconds)

    def _freeze(self, machine: Machine, process: psutil.Process, seconds: float) -> str:
        self.spared.add(machine.name)  # the dead do not thaw
        try:
            process.suspend()
            time.sleep(seconds)
            process.resume()
        except psutil.NoSuchProcess:  # everything was killed while it was frozen
            return f"{machine.worker}, and it died"
        finally:
            self.spared.discard(machine.name)
        return f"{machine.worker} for {seconds:.0f} s"

    def _order(self, kind: str, verb: str, fault: Fault) -> str:
        """Have Compute do it."""

        def order() -> str:
            machine = self._machine(fault)
            settings, at = self._mill.cloud.settings, now()
            client = self._mill.cloud.instances
            getattr(client, verb)(
                project=settings.project, zone=machine.zone, instance=machine.name, timeout=CALL_SECONDS, retry=None
            )
            self._book.die(kind, machine.worker, at)
            return machine.worker

        return persist(order, PATIENCE_SECONDS, f"a VM for {verb}")

    def _preempt(self, fault: Fault) -> str:
        notice = self._notices[(self._starts - 1) % len(self._notices)]
        said = self._order(f"preemption, {notice} s notice", "simulate_maintenance_event", fault)
        self._book.count(self._book.done, f"preemption, {notice} s notice")
        return said

    def _crash_host(self, fault: Fault) -> str:
        def crash() -> str:
            machine = self._machine(fault)
            machine.guest.kill()
            self._book.die("host crash", machine.worker)
            return machine.worker

        return persist(crash, PATIENCE_SECONDS, "a host to crash")

    def _fill_disk(self, fault: Fault) -> str:
        if self._disk is None:
            raise MissedError("the workers have no disk of their own")
        ballast = self._disk / "ballast"
        try:
            with ballast.open("wb") as file:
                while True:
                    file.write(bytes(2**20))
                    file.flush()
        except OSError:
            time.sleep(fault.seconds)
        finally:
            ballast.unlink(missing_ok=True)
        return f"full for {fault.seconds:.0f} s"

    # Servers

    def _servers(self) -> dict[str, Callable[[Fault], str]]:
        kills = {f"{server} kill -9": self._killer(server) for server in SERVERS}
        return kills | {
            "postgres fast restart": lambda _: self._restart("postgres", signal.SIGTERM),
            "everything kill -9": self._kill_everything,
        }

    def _killer(self, server: str) -> Callable[[Fault], str]:
        def kill(fault: Fault) -> str:
            return self._restart(server, signal.SIGKILL, of_child=server == "postgres" and fault.pick < 0.5)

        return kill

    def _restart(self, server: str, number: signal.Signals, *, of_child: bool = False) -> str:
        """End a server and see that its supervisor starts another; ``of_child`` ends Postgres below its launcher."""

        def end() -> int:
            pid = self._mill.cloud.pids()[server]
            victim = pid
            if of_child:
                children = psutil.Process(pid).children()
                if not children:
                    raise MissedError("the postmaster is not there")
                victim = children[0].pid
            os.kill(victim, number)
            return pid

        cloud = self._mill.cloud
        pid = persist(end, PATIENCE_SECONDS, f"{server} to end")

        def restarted() -> bool:
            if self._mill.cloud is not cloud:  # all of it was started again meanwhile
                return True
            return persist(lambda: cloud.pids().get(server, pid), PATIENCE_SECONDS, server) != pid

        try:
            wait_for(restarted, RESTART_SECONDS, f"{server} is started again", pause_seconds=0.1)
        except AssertionError as error:
            self._book.problem(str(error))
        self._book.count(self._book.restarts, server)
        return server

    def _kill_everything(self, _fault: Fault) -> str:
        with self._upheaval:
            try:
                workers = [m.worker for m in self._mill.machines() if m.agent is not None]
            except (requests.RequestException, OSError, ValueError, KeyError):
                workers = []
            at = now()
            self._mill.kill()
            for worker in workers:
                self._book.die("everything kill -9", worker, at)
            self._starts += 1
            self._mill.start(self._notices[(self._starts - 1) % len(self._notices)])
            self._book.halt(at, now())
            for server in SERVERS:
                self._book.count(self._book.restarts, server)
        return f"{len(workers)} VMs"

    # The fleet

    def _fleet(self) -> dict[str, Callable[[Fault], str]]:
        return {
            "ticks doubled": self._double_ticks,
            "tick stale": self._stale_tick,
            "ticks missing": self._miss_ticks,
            "Run by several": self._press_run,
            "pause, then resume": self._pause,
            "stop drain, then Run": lambda fault: self._stop_run("drain", fault),
            "stop now, then Run": lambda fault: self._stop_run("now", fault),
        }

    def _double_ticks(self, _fault: Fault) -> str:
        def tick(sent: list[bool]) -> None:
            with contextlib.suppress(MissedError, *AWAY):
                self._mill.cloud.tick()
                sent.append(True)

        def double() -> str:
            sent: list[bool] = []
            _together([threading.Thread(target=tick, args=(sent,)) for _ in range(3)])
            if len(sent) < 2:
                raise MissedError(f"{len(sent)} ticks got through")
            return f"{len(sent)} at once"

        return persist(double, PATIENCE_SECONDS, "ticks")

    def _stale_tick(self, _fault: Fault) -> str:
        sample = read_sample("pubsub-tick")
        old = (datetime.now(UTC) - timedelta(minutes=10)).isoformat()
        body: dict[str, Any] = json.loads(json.dumps(sample.body))
        body["message"] |= {"publishTime": old, "publish_time": old}
        source = self._mill.cloud.topic("spotmill-tick")
        headers = sample.headers | {"ce-source": f"//pubsub.googleapis.com/{source}", "ce-time": old}

        def deliver() -> str:
            url = self._mill.cloud.environment["SPOTMILL_DISPATCHER_URL"]
            requests.post(url, json=body, headers=headers, timeout=CALL_SECONDS).raise_for_status()
            return "10 minutes old"

        return persist(deliver, PATIENCE_SECONDS, "a stale tick")

    def _miss_ticks(self, fault: Fault) -> str:
        """Keep everybody's clock still, the scheduler's too."""
        self.ticking.clear()
        try:
            scheduler = persist(lambda: self._mill.cloud.pids()["scheduler"], PATIENCE_SECONDS, "the scheduler")
            process = psutil.Process(scheduler)
            process.suspend()
            time.sleep(fault.seconds)
            process.resume()
        except psutil.NoSuchProcess:  # it was killed meanwhile, and its successor ticks
            time.sleep(0)
        finally:
            self.ticking.set()
        return f"for {fault.seconds:.0f} s"

    def _press_run(self, _fault: Fault) -> str:
        answers: list[int] = []

        def press(workers: int) -> None:
            with contextlib.suppress(requests.RequestException, MissedError):
                answers.append(self._mill.post("/runs", {"workers": workers}).status_code)

        def together() -> str:
            answers.clear()
            _together([threading.Thread(target=press, args=(workers,)) for workers in (1, 2, 1, 2)])
            if 202 not in answers:
                raise MissedError(f"Run answered {answers}")
            return f"{answers.count(202)} at once"

        return persist(together, PATIENCE_SECONDS, "Run")

    def _stop_run(self, mode: str, fault: Fault) -> str:
        begin = now()

        def stop() -> str:
            self.run()
            answer = self._mill.post("/runs/current/stop", {"mode": mode})
            if answer.status_code not in {200, 202}:
                raise MissedError(f"Stop answered {answer.status_code}")
            return mode

        try:
            said = persist(stop, PATIENCE_SECONDS, "Stop")
            time.sleep(fault.seconds)
        finally:
            persist(self.run, RESTART_SECONDS, "Run")
            self._book.halt(begin, now())
        return said

    def _pause(self, fault: Fault) -> str:
        begin = now()
        try:
            persist(lambda: self._press("pause"), PATIENCE_SECONDS, "Pause")
            time.sleep(fault.seconds)
        finally:
            self.resume()
            self._book.halt(begin, now())
        return f"for {fault.seconds:.0f} s"

    def resume(self) -> None:
        """Let the queue move, if somebody paused it."""
        persist(lambda: self._press("resume"), RESTART_SECONDS, "Resume")

    def _press(self, button: str) -> None:
        answer = self._mill.post(f"/queue/{button}")
        if not answer.ok:
            raise MissedError(f"{button} answered {answer.status_code}: {answer.text[:200]}")

    def run(self) -> None:
        """Press Run.

        Raises:
            MissedError: the answer was another than yes.
        """
        answer = self._mill.post("/runs", {"workers": self._mill.max_workers})
        if answer.status_code != 202:
            raise MissedError(f"Run answered {answer.status_code}: {answer.text[:200]}")

    def thaw(self) -> None:
        """Let every process go on that is still frozen."""
        for process in marked.belonging(self._mill.data_dir):
            try:
                if process.status() == psutil.STATUS_STOPPED:
                    process.resume()
            except psutil.Error:
                continue


def _choose(things: Sequence[T], fault: Fault) -> T:
    return things[int(fault.pick * len(things))]


def _together(threads: Sequence[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
