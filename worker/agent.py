"""The agent of one VM: brings the parts up, follows orders, and leaves in good order when the VM is taken."""

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import structlog

from shared import lifecycle, workers
from shared.database import away, open_engine
from shared.jobs import Backoff
from shared.models import StopMode, WorkerState
from shared.settings import WorkerSettings
from shared.workers import Boot, Orders
from spotmill.language_model import LanguageModel
from worker import scratch
from worker.attempt import Bench
from worker.child.messages import Limits
from worker.heartbeat import Heartbeat
from worker.hold import Keeper
from worker.holding import Holding, Released
from worker.intake import Intake
from worker.ledger import Ledger
from worker.models import Models
from worker.preemption import Notice, Notices
from worker.process import ChildProcess
from worker.pull import Subscription
from worker.receipts import Receipts
from worker.slot import Slot
from worker.transfer import Storage

#: The part of the notice that the step at hand may use; the rest is for letting go.
_FINISHING_SHARE = 1 / 3
#: Seconds in which letting go must be done, at least and at most.
_LETTING_GO_SECONDS = (5.0, 20.0)
#: How long one thread may keep the others waiting, in seconds. They hand tiny things to each other all the time; at
#: Python's own 5 ms tiny jobs are an eighth slower.
_SWITCH_SECONDS = 0.0005

log = structlog.get_logger()


class Agent:
    """Everything that one VM does. ``children`` are processes that are loading their pipelines already."""

    def __init__(
        self, settings: WorkerSettings, boot: Boot, notices: Notices, limits: Limits, children: list[ChildProcess]
    ) -> None:
        self._settings = settings
        self._boot = boot
        self._notices = notices
        self._limits = limits
        self._children = children
        self._holding = Holding(settings.worker_slots, settings.claim_ahead_seconds)
        self._engine = open_engine(settings)
        self._subscription = Subscription(settings.jobs_subscription_path)
        self._receipts = Receipts(self._subscription)
        # Every change of a job's state is one statement, which needs no BEGIN and COMMIT around it.
        self._statements = open_engine(settings, autocommit=True)
        self._ledger = Ledger(self._statements, settings, self._holding, self._receipts)
        self._intake = Intake(
            settings,
            boot.id,
            self._statements,
            subscription=self._subscription,
            holding=self._holding,
            receipts=self._receipts,
        )
        self._useful = time.monotonic()  #: when there was last something to do
        self._leaving = False

    def run(self) -> None:
        """Work until a notice comes, then let go of everything. Never returns: the process ends."""
        threading.excepthook = _end_process
        sys.setswitchinterval(_SWITCH_SECONDS)
        notice = self._register()
        if notice is None:
            self._open()
            notice = self._notices.wait()
        if notice is not None:
            self._depart(notice)
        os._exit(0)  # threads may still wait for a network that nobody needs any more

    def _open(self) -> None:
        """Start everything that moves."""
        self._open_slots()
        Keeper(self._settings, self._statements, self._subscription, self._holding, self._ledger).start()
        Heartbeat(self._statements, self._boot, self._holding, self._settings.heartbeat_seconds, self._obey).start()
        self._intake.start()
        log.info("worker.started", instance=self._boot.instance, zone=self._boot.zone, slots=self._boot.slots)

    def _register(self) -> Notice | None:
        """Write the worker's row and settle what an agent before this one left; return a notice that came first."""
        settings = self._settings
        backoff = Backoff(settings.backoff_seconds, settings.backoff_max_seconds, settings.max_failures)
        pause = 0.1
        while True:
            try:
                with self._engine.begin() as connection:
                    workers.register(connection, self._boot)
                    released, failed = lifecycle.recover(connection, self._boot.instance, self._boot.id, backoff)
                if released or failed:
                    log.warning("worker.recovered", released=len(released), failed=len(failed))
            except Exception as error:
                if not away(error):
                    raise
                log.warning("worker.not_registered", error=str(error))
            else:
                return None
            if (notice := self._notices.wait(pause)) is not None:
                return notice
            pause = min(2 * pause, 3)

    def _open_slots(self) -> None:
        settings = self._settings
        root = scratch.root(settings.scratch_dir, self._boot.instance)
        uploads = 2 * settings.worker_slots + 2
        storage = Storage(settings.project, settings.worker_slots + uploads)
        models = Path(settings.model_dir) if settings.model_dir is not None else root.parent / "models"
        bench = Bench(
            settings=settings,
            storage=storage,
            holding=self._holding,
            ledger=self._ledger,
            uploads=ThreadPoolExecutor(uploads, "upload"),
            rooms=scratch.Rooms(root, uid=self._limits.uid, gid=self._limits.gid),
            limits=self._limits,
            models=Models(dict(settings.models), models, storage, settings.result_bucket),
            language_model=_language_model(settings),
        )
        for number, child in enumerate(self._children):
            Slot(number, bench, child).start()

    def _obey(self, orders: Orders) -> None:
        """Do what the fleet wants; a worker that has nothing to do offers to leave."""
        now = time.monotonic()
        self._intake.resting = orders.paused
        if len(self._holding) or orders.due:
            self._useful = now
        if orders.state is WorkerState.LEAVING:
            if not self._leaving:
                log.info("worker.leaving", stop_mode=orders.stop_mode)
                self._leaving = True
                self._intake.stop()
            if orders.stop_mode is StopMode.NOW:
                self._let_go("The run was stopped.")
        elif self._leaving or now - self._useful >= self._settings.idle_seconds:
            log.info("worker.idle", seconds=self._settings.idle_seconds)
            self._leaving = True
            self._intake.stop()
            with self._statements.connect() as connection:
                workers.leave(connection, self._boot.id)

    def _let_go(self, reason: str) -> None:
        """Stop every job and give it back; the ledger releases the lease first and then the message."""
        for held in self._holding.all():
            self._ledger.conclude(held, Released(reason))

    def _depart(self, notice: Notice) -> None:
        """Use the notice: finish steps for a third of it, then release what is left, close the row."""
        log.warning("worker.notice", reason=notice.reason, jobs=len(self._holding))
        seconds = self._settings.preemption_notice_seconds
        finish_by = time.monotonic() + seconds * _FINISHING_SHARE
        self._intake.stop()
        self._holding.stop_at_step = True
        for held in self._holding.waiting():
            self._ledger.conclude(held, Released(notice.reason))
        signals = 0 if notice.signal is None else 1
        while len(self._holding) and (left := finish_by - time.monotonic()) > 0 and signals < 2:
            again = self._notices.wait(min(left, 0.05))
            signals += again is not None and again.signal is not None
        self._let_go(notice.reason)
        least, most = _LETTING_GO_SECONDS
        done_by = time.monotonic() + min(most, max(least, seconds * _FINISHING_SHARE))
        released = self._holding.wait_empty(done_by - time.monotonic())
        sent = self._receipts.flush(max(0.1, done_by - time.monotonic()))
        self._close_row(notice.reason)
        log.warning("worker.ended", reason=notice.reason, released=released, answered=sent)

    def _close_row(self, reason: str) -> None:
        try:
            with self._statements.connect() as connection:
                workers.end(connection, self._boot.id, reason)
        except Exception as error:
            if not away(error):
                raise
            log.warning("worker.row_left_open", error=str(error))  # the tick closes it


def _language_model(settings: WorkerSettings) -> LanguageModel | None:
    """Open the hosted model that the operator has chosen; without one, not even its clients are loaded."""
    if settings.language_model_engine == "extractive":
        return None
    from worker.language_models.opening import open_language_model  # noqa: PLC0415 - a second that others do not pay
    from worker.language_models.settings import LanguageModelSettings  # noqa: PLC0415

    vertex = settings.language_model_engine == "vertex"
    return open_language_model(
        LanguageModelSettings(
            engine=settings.language_model_engine,
            model=settings.language_model,
            key=None if vertex else settings.language_model_key,
            endpoint=settings.language_model_endpoint,
            project=settings.project if vertex else None,
            region=(settings.language_model_region or settings.region) if vertex else None,
            timeout_seconds=settings.language_model_timeout_seconds,
            retries=settings.language_model_retries,
            max_output_tokens=settings.language_model_output_tokens,
            window_tokens=settings.language_model_window_tokens,
        )
    )


def _end_process(args: threading.ExceptHookArgs) -> None:
    """End the agent if one of its threads fails: half an agent would hold jobs and do nothing for them."""
    trace: tuple[type[BaseException], BaseException, TracebackType | None] | None = None
    if args.exc_value is not None:
        trace = (args.exc_type, args.exc_value, args.exc_traceback)
    log.critical("agent.broken", thread=args.thread.name if args.thread else "?", exc_info=trace)
    os._exit(70)
