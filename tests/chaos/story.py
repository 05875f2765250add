"""One run from beginning to end: start the mill, work and break, let it settle, reckon."""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local import marked
from tests.chaos.audit import MAX_FAILURES, Audit, Verdict, histories, may_be_missing
from tests.chaos.book import Book, File, MissedError
from tests.chaos.breakage import Breaker
from tests.chaos.figures import Recovery, recovery
from tests.chaos.kinds import expected
from tests.chaos.mill import AWAY, Mill, persist
from tests.chaos.pace import Pace
from tests.chaos.people import People
from tests.chaos.schedule import Arrival, Deed, Fault, Schedule
from tests.chaos.watch import Watch
from tests.cloud import wait_for

LIVE_SECONDS = 10.0
#: Seconds that things may take once nothing is broken any more; a machine that does other things too is slow.
SETTLE_SECONDS = 420.0
EMPTY_SECONDS = 420.0
HANDS = 48
#: Dropped events that a killed router may have taken along before they were counted.
_UNCOUNTED = 3
#: The number of the file whose job lasts as long as the chaos.
_LONG = 999_999


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    verdict: Verdict
    recovery: Recovery | None
    problems: list[str]
    retried: int
    seconds: float

    @property
    def passed(self) -> bool:
        return self.verdict.clean and not self.problems


class Story:
    """One run in ``folder``."""

    def __init__(
        self, schedule: Schedule, pace: Pace, folder: Path, *, disk: Path | None, max_workers: int, long_job: bool
    ) -> None:
        self.schedule = schedule
        self.book = Book()
        self._pace = pace
        self._mill = Mill(folder, pace.environment(disk), max_workers)
        self.watch = Watch(folder / "data", folder / "logs")
        counters = folder / "counters"
        counters.mkdir()
        self._people = People(self._mill, self.book, counters)
        self._breaker = Breaker(self._mill, self.book, schedule, disk)
        self._over = threading.Event()  #: the run is over: no more ticks
        self._working = threading.Event()  #: somebody sees to it that there is a run
        self._began = time.monotonic()
        self._retried = 0
        for arrival in schedule.arrivals:
            self.book.files[arrival.number] = File(arrival)
        if long_job:
            self.book.files[_LONG] = File(Arrival(0.0, _LONG, "long", "write", 0, {"seconds": schedule.seconds}))
        for fault in schedule.faults:
            self.book.planned[fault.kind] += 1

    def tell(self) -> Report:
        """Run it."""
        book = self.book
        self._say(f"{len(self.schedule.arrivals)} files, {len(self.schedule.faults)} faults; the undisturbed run first")
        for arrival in self.schedule.arrivals:
            expected(arrival, 0)
        self._mill.start(self.schedule.notices[0])
        self._say("the mill is up")
        self.watch.start()
        self._working.set()
        for loop in (self._tick, self._see_to_runs, self._live):
            threading.Thread(target=loop, name=loop.__name__, daemon=True).start()
        verdict, figures = Verdict(), None
        try:
            if _LONG in book.files:
                self._begin_long_job()
            self._say("chaos begins")
            self._act()
            self._say("chaos is over; letting it settle")
            self._settle()
            self._reconcile()
            self._empty()
            verdict = self._reckon()
            figures = recovery(self._mill, book, self.watch)
            self._judge(figures)
            for line in histories(self._mill, self.watch, verdict):
                print(line)  # noqa: T201 - this is a command
        finally:
            self._over.set()
            self._end()
        return Report(verdict, figures, book.problems, self._retried, time.monotonic() - self._began)

    # Chaos

    def _begin_long_job(self) -> None:
        """Have the long job taken by a VM that nothing is done to from then on."""
        file = self.book.files[_LONG]
        self._people.bring(file.arrival)

        def held() -> str | None:
            rows = self._mill.rows(
                "SELECT worker FROM jobs WHERE object = :name AND status = 'running'", name=file.name
            )
            return rows[0].worker if rows else None

        worker = wait_for(held, 120, "the long job is running", pause_seconds=0.2)
        self._breaker.spared.add(worker.partition("/")[0])
        self._say(f"{worker} holds a job for {self.schedule.seconds:.0f} s, and is left alone")

    def _judge_long_job(self) -> None:
        name = self.book.files[_LONG].name
        [job] = self._mill.rows(
            "SELECT attempt, status, finished_at - started_at AS held FROM jobs WHERE object = :name", name=name
        )
        self._say(f"the long job {job.status} in attempt {job.attempt}, which held its lease for {job.held}")
        if job.attempt != 1 or job.held.total_seconds() < self.schedule.seconds:
            self.book.problem(f"the long job took {job.attempt} attempts")

    def _act(self) -> None:
        """Do everything at its time, each thing in a thread of its own."""
        began = time.monotonic()
        with ThreadPoolExecutor(HANDS, "hand") as faults, ThreadPoolExecutor(HANDS, "people") as people:
            for action in self.schedule.actions():
                time.sleep(max(0.0, began + action.at - time.monotonic()))
                match action:
                    case Fault():
                        faults.submit(self._guarded, partial(self._breaker.strike, action))
                    case Arrival():
                        people.submit(self._guarded, partial(self._people.bring, action))
                    case Deed():
                        people.submit(self._guarded, partial(self._people.do, action))
            time.sleep(max(0.0, began + self.schedule.seconds - time.monotonic()))
            faults.shutdown()
            self._breaker.calm()

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - the harness must not stop half-way, nor keep silent
            self.book.problem(f"the harness failed: {type(error).__name__}: {error}")

    def _tick(self) -> None:
        """Let minutes pass, at the run's own pace."""
        while not self._over.wait(self._pace.tick_seconds):
            if self._breaker.ticking.is_set():
                try:
                    self._mill.cloud.tick()
                except (*AWAY, MissedError):
                    continue  # a minute without a tick

    def _see_to_runs(self) -> None:
        """Press Run whenever nothing runs although there is work; a person would."""
        while not self._over.wait(2.0):
            if not self._working.is_set():
                continue
            try:
                if self._mill.get("/runs/current").status_code == 404:
                    self._breaker.run()
            except (*AWAY, MissedError):
                continue

    # Live

    def _live(self) -> None:
        while not self._over.wait(LIVE_SECONDS):
            self._say(self._line())

    def _line(self) -> str:
        book = self.book
        try:
            counts = {r.status: r.n for r in self._mill.rows("SELECT status, count(*) AS n FROM jobs GROUP BY status")}
        except (*AWAY, MissedError):
            counts = {}
        jobs = ", ".join(f"{n} {status}" for status, n in sorted(counts.items())) or "the database is away"
        struck, missed = book.done.total(), book.missed.total()
        return (
            f"{jobs} | {len(book.deaths)} workers died, {book.restarts.total()} servers restarted, "
            f"{struck} faults ({missed} found nothing)"
        )

    def _say(self, words: str) -> None:
        seconds = time.monotonic() - self._began
        print(f"[{seconds:6.1f} s] {words}", flush=True)  # noqa: T201 - this is a command
        sys.stdout.flush()

    # Afterwards

    def _settle(self) -> None:
        """Wait until every file has a job and every job an end; press Retry where the machine was to blame."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            try:
                if self._settled():
                    return
            except (*AWAY, MissedError) as error:
                self._say(f"not settled: {error}")
            time.sleep(1.0)
        self._say(f"not settled within {SETTLE_SECONDS:.0f} s")

    def _settled(self) -> bool:
        rows = {(r.bucket, r.object, r.generation): r for r in self._mill.rows("SELECT * FROM jobs")}
        done, missing = True, 0
        for file in self.book.files.values():
            for version in file.versions:
                row = rows.get((file.bucket, file.name, version.generation))
                if row is None:
                    missing += not may_be_missing(self.book, file, version)
                elif row.status in ("queued", "running"):
                    done = False
                elif row.status == "failed" and not file.cancelled:
                    wanted = expected(file.arrival, version.number)
                    if row.error != wanted.error and row.failures >= MAX_FAILURES and not version.gone:
                        done = False
                        if self._mill.post(f"/jobs/{row.id}/retry").status_code == 202:
                            self._retried += 1
        # What is only late comes by itself; what nobody will announce any more is for reconcile to find.
        if 0 < missing <= self.book.done["events dropped"] + _UNCOUNTED:
            self._say(f"{missing} files without a job; {self._mill.reconcile()}")
        return done and not missing

    def _reconcile(self) -> None:
        """Reconcile finds nothing any more."""
        said = persist(self._mill.reconcile, 30, "reconcile")
        self._say(said)
        if not said.startswith("0 objects"):
            self.book.problem(f"reconcile after everything was settled: {said}")

    def _empty(self) -> None:
        """Wait until the run is closed, no VM and no worker is left, and the sweep has nothing left to do."""
        self._working.clear()

        def empty() -> bool:
            try:
                # A frozen VM that is deleted may thaw for a moment, and report once more before it vanishes.
                left = self._mill.rows("""SELECT (SELECT count(*) FROM attempts WHERE sweep_at IS NOT NULL)
                                               + (SELECT count(*) FROM workers WHERE state <> 'gone') AS n""")[0].n
                return not left and not self._mill.machines() and self._mill.get("/runs/current").status_code == 404
            except (*AWAY, MissedError):
                return False

        try:
            wait_for(empty, EMPTY_SECONDS, "the fleet is empty and the bucket swept", pause_seconds=0.5)
        except AssertionError as error:
            self.book.problem(str(error))

    def _reckon(self) -> Verdict:
        self._say("reckoning")
        verdict = Audit(self._mill, self.book).run()
        self._say(f"{verdict.bytes_compared / 1e6:.1f} MB of results compared")
        return verdict

    def _judge(self, figures: Recovery) -> None:
        book = self.book
        for kind in book.planned:
            if not book.done[kind]:
                book.problem(f"{kind} was planned {book.planned[kind]} times and never happened")
        if _LONG in book.files:
            self._judge_long_job()
        for job in figures.greedy:
            book.problem(f"job {job} did more work over than its interruptions account for")

    def _end(self) -> None:
        """Stop the mill; nothing of it may be left."""
        try:
            persist(lambda: self._mill.cloud, 1, "the mill")
            self._mill.stop()
        except Exception as error:  # noqa: BLE001 - reported, and the processes are ended all the same
            self.book.problem(f"the mill did not stop: {type(error).__name__}: {error}")
        if self.watch.is_alive():
            self.watch.finish()
        for signature, times in self.watch.bugs.items():
            self.book.problem(f"{times} × in a log: {signature}\n{self.watch.examples[signature]}")  # noqa: RUF001
        left = marked.belonging(self._mill.data_dir)
        if left:
            self.book.problem(f"{len(left)} processes were left behind: {[p.pid for p in left]}")
            marked.kill(self._mill.data_dir)
