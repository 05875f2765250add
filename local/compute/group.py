"""The regional managed instance group: keeps as many virtual machines as its target says."""

import asyncio
import logging
import secrets
import string
import time
from collections.abc import Coroutine, Iterable
from typing import Any

from local.compute import orphans
from local.compute.faults import KINDS
from local.compute.instance import Action, Instance, Status, fresh_id
from local.compute.names import link
from local.compute.settings import Settings
from local.compute.store import GroupRow, Store
from local.compute.vm import Vm
from local.faults.injection import Faults

logger = logging.getLogger(__name__)

SUFFIX = string.ascii_lowercase + string.digits
CRASH_PAUSE_SECONDS = 1.0
QUOTA_CODE = "QUOTA_EXCEEDED"
STOCKOUT_CODE = "ZONE_RESOURCE_POOL_EXHAUSTED"


class Group:
    """All methods run on one event loop and, unless they are coroutines, return at once."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.row: GroupRow = store.group(settings.group)
        self.vms: dict[str, Vm] = {}
        self.closing = False
        self.faults = Faults(KINDS)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def target_size(self) -> int:
        return self.row.target_size

    @property
    def instances(self) -> list[Instance]:
        return [vm.instance for vm in self.vms.values()]

    @property
    def stable(self) -> bool:
        return all(instance.action is Action.NONE for instance in self.instances)

    # What callers ask for

    def resize(self, size: int) -> None:
        self._set_target(size)
        self.reconcile()

    def create(self, names: Iterable[str]) -> None:
        """Raise the target by instances of these names."""
        added = [self._add(name) for name in names]
        self._set_target(self.target_size + len(added))
        self.reconcile()

    def delete(self, names: Iterable[str]) -> None:
        """Delete these instances and lower the target by those that were wanted."""
        doomed = [self.vms[name] for name in names]
        self._set_target(self.target_size - sum(vm.instance.wanted for vm in doomed))
        for vm in doomed:
            self._stop(vm, Action.DELETING, self.settings.shutdown_seconds)
        self.reconcile()

    def recreate(self, names: Iterable[str]) -> None:
        """Shut these instances down and create each anew under its name; so also after a stop, a deletion by hand."""
        for name in names:
            self._stop(self.vms[name], Action.RECREATING, self.settings.shutdown_seconds)

    def preempt(self, name: str) -> None:
        """Take the machine away: notice and SIGTERM now, power off when that is over, then another in its place."""
        vm = self.vms[name]
        vm.instance.preempted = True
        self._stop(vm, Action.RECREATING, self.settings.preemption_notice_seconds)
        vm.metadata.announce()

    def reset(self, name: str) -> None:
        """Power cut, and a fresh boot of the same machine."""
        vm = self.vms[name]
        if vm.instance.status is Status.RUNNING:
            self._spawn(self._reset(vm))

    # How it comes about

    def reconcile(self) -> None:
        """Bring the members in line with the target, and boot those that wait, as far as the quota goes."""
        if self.closing:
            return
        wanted = [vm for vm in self.vms.values() if vm.instance.wanted]
        for _ in range(self.target_size - len(wanted)):
            self._add(self._fresh_name())
        surplus = max(0, len(wanted) - self.target_size)
        for vm in sorted(wanted, key=lambda vm: vm.instance.number, reverse=True)[:surplus]:
            self._stop(vm, Action.DELETING, self.settings.shutdown_seconds)
        waiting = [vm for vm in self.vms.values() if vm.instance.status is Status.PENDING]
        room = self.settings.max_size - (len(self.vms) - len(waiting))
        for vm in waiting[: max(0, room)]:
            if self.faults.active and self._sold_out(vm.instance):
                continue
            vm.instance.status = Status.RUNNING
            self._spawn(self._boot(vm))
        for vm in waiting[max(0, room) :]:
            self._refuse(
                vm.instance,
                QUOTA_CODE,
                f"Quota 'PREEMPTIBLE_CPUS' exceeded. "
                f"Limit: {self.settings.max_size} instances in region {self.settings.region}.",
            )

    def _sold_out(self, instance: Instance) -> bool:
        """Refuse a machine as a zone without capacity does, if a fault wants it, and try again later."""
        rule = self.faults.pick("stockout", f"create {instance.name} {instance.zone}")
        if rule is None:
            return False
        why = rule.message or (
            f"The zone '{link(f'projects/{self.settings.project}/zones/{instance.zone}')}' does not have enough "
            "resources available to fulfill the request.  Try a different zone, or try again later."
        )
        self._refuse(instance, rule.code or STOCKOUT_CODE, why)
        asyncio.get_running_loop().call_later(rule.delay_seconds, self.reconcile)
        return True

    async def open(self) -> None:
        """Take up what an earlier server left: living machines are adopted, others booted afresh."""
        for instance in self.store.instances():
            vm = self.vms[instance.name] = Vm(instance, self.settings, self._went_off)
            if instance.status is Status.PENDING:
                continue
            same_port = await vm.listen()
            if vm.adopt():
                if not same_port:  # it knows only the old one
                    self.reset(instance.name)
                if instance.status is Status.STOPPING:
                    vm.shut_down(instance.kill_at - time.time())
            elif instance.status is Status.STOPPING:
                self._finish_stop(vm)
            else:
                instance.status, instance.action = Status.PENDING, Action.CREATING
        await asyncio.to_thread(orphans.end, orphans.marked(self.settings, "", spare=self._guests()))
        self.reconcile()

    async def close(self, patience_seconds: float) -> None:
        """The computer shuts down: machines get SIGTERM, then lose power. The target stays for the next start."""
        self.closing = True
        on = [vm for vm in self.vms.values() if not vm.off.is_set()]
        for vm in on:
            vm.shut_down(patience_seconds)
        await asyncio.gather(*(vm.off.wait() for vm in on))
        await asyncio.to_thread(orphans.end, orphans.adopted(spare=[]))
        await asyncio.gather(*(vm.close() for vm in self.vms.values()))
        for task in self._tasks:
            task.cancel()
        self.store.close()

    def _guests(self) -> list[int]:
        return [vm.instance.guest_pid for vm in self.vms.values() if not vm.off.is_set()]

    def _set_target(self, size: int) -> None:
        self.row.target_size = size
        self.store.set_target(self.row.name, size)

    def _fresh_name(self) -> str:
        while (name := f"{self.row.name}-{''.join(secrets.choice(SUFFIX) for _ in range(4))}") in self.vms:
            pass
        return name

    def _add(self, name: str) -> Instance:
        """A new member, in the zone that has the fewest."""
        zones = [instance.zone for instance in self.instances]
        instance = Instance(
            name=name,
            number=max((instance.number for instance in self.instances), default=0) + 1,
            zone=min(self.settings.zones, key=zones.count),
            id=fresh_id(),
            created_at=time.time(),
        )
        self.vms[name] = Vm(instance, self.settings, self._went_off)
        self.store.put(instance)
        return instance

    def _refuse(self, instance: Instance, code: str, why: str) -> None:
        """What a group says about an instance for which there is no room."""
        if instance.error_code:
            return
        instance.error_code = code
        instance.error_message = f"Instance '{instance.name}' creation failed: {why}"
        self.store.put(instance)
        self.store.add_error(instance, time.time())

    def _stop(self, vm: Vm, action: Action, patience_seconds: float) -> None:
        """Shut a machine down; ``action`` says what becomes of it then. A deletion overrules what is under way."""
        instance = vm.instance
        kill_at = time.time() + patience_seconds
        if instance.status is Status.PENDING:
            if action is Action.DELETING:
                self._remove(vm)
            return
        if instance.status is Status.STOPPING:
            kill_at = min(kill_at, instance.kill_at)
            action = Action.DELETING if Action.DELETING in (action, instance.action) else action
        instance.status, instance.action, instance.kill_at = Status.STOPPING, action, kill_at
        self.store.put(instance)
        if not vm.off.is_set():
            vm.shut_down(kill_at - time.time())

    async def _boot(self, vm: Vm) -> None:
        async with vm.power:
            await vm.listen()
            self._start(vm)

    async def _reset(self, vm: Vm) -> None:
        async with vm.power:
            await vm.cut()
            self._start(vm)

    def _start(self, vm: Vm) -> None:
        """Boot a machine, unless somebody has decided otherwise since."""
        if self.closing or vm.instance.status is Status.PENDING or not vm.off.is_set():
            return
        if vm.instance.status is Status.STOPPING:
            self._finish_stop(vm)
            self.reconcile()
            return
        vm.boot()
        vm.instance.action = Action.NONE
        vm.instance.error_code = vm.instance.error_message = ""
        self.store.put(vm.instance)

    def _went_off(self, vm: Vm) -> None:
        if vm.power.locked():  # in the middle of a reset
            return
        if self.closing and vm.instance.wanted:  # the next start boots it again
            return
        if vm.instance.status is not Status.STOPPING:
            self._spawn(self._crash(vm))
            return
        self._finish_stop(vm)
        self.reconcile()

    async def _crash(self, vm: Vm) -> None:
        """The guest itself was killed, as when a host fails: the group makes another machine."""
        logger.warning("guest of %s ended by itself", vm.instance.name)
        async with vm.power:
            if not vm.off.is_set():  # a reset came first
                return
            lost = orphans.adopted(spare=self._guests()) + orphans.marked(self.settings, vm.instance.name, spare=())
            await asyncio.to_thread(orphans.end, lost)
            await asyncio.sleep(CRASH_PAUSE_SECONDS)
        if vm.instance.status is Status.RUNNING:
            vm.instance.action = Action.RECREATING
        self._finish_stop(vm)
        self.reconcile()

    def _finish_stop(self, vm: Vm) -> None:
        """The machine is off: delete it, or put its successor in its place."""
        if vm.instance.action is Action.DELETING:
            self._remove(vm)
            return
        vm.wipe()
        vm.instance.renew()
        self.store.put(vm.instance)

    def _remove(self, vm: Vm) -> None:
        del self.vms[vm.instance.name]
        self.store.remove(vm.instance)
        vm.wipe()
        self._spawn(vm.close())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a change of the group failed", exc_info=error)
