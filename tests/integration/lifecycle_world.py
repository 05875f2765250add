"""A database whose clock and chance can be set, and all that it holds: what the lifecycle's state machine stands on."""

import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, text

T = TypeVar("T")
#: When every history begins.
DAWN = datetime(2030, 1, 1, tzinfo=UTC)

#: What Postgres knows by itself and a test must know beforehand: the time, chance, new ids. The schema ``fate`` stands
#: before Postgres' own in the search path; columns took theirs when they were made, and get it here.
_FATE = """
CREATE SCHEMA fate;
CREATE TABLE fate.hand (now timestamptz NOT NULL, up_since timestamptz NOT NULL, chance float8 NOT NULL);
INSERT INTO fate.hand VALUES ('2030-01-01Z', '2029-01-01Z', 0);
CREATE SEQUENCE fate.ids;
CREATE FUNCTION fate.now() RETURNS timestamptz LANGUAGE sql STABLE AS 'SELECT now FROM fate.hand';
CREATE FUNCTION fate.random() RETURNS float8 LANGUAGE sql STABLE AS 'SELECT chance FROM fate.hand';
CREATE FUNCTION fate.pg_postmaster_start_time() RETURNS timestamptz LANGUAGE sql STABLE
    AS 'SELECT up_since FROM fate.hand';
CREATE FUNCTION fate.id() RETURNS uuid LANGUAGE sql AS $$ SELECT md5(nextval('fate.ids')::text)::uuid $$;
DO $$
DECLARE made record;
BEGIN
    EXECUTE format('ALTER DATABASE %I SET search_path = fate, pg_catalog, public', current_database());
    FOR made IN SELECT table_name, column_name, replace(column_default, 'gen_random_uuid', 'id') AS value
                FROM information_schema.columns
                WHERE table_schema = 'public' AND column_default IN ('now()', 'gen_random_uuid()') LOOP
        EXECUTE format('ALTER TABLE public.%I ALTER %I SET DEFAULT fate.%s',
                       made.table_name, made.column_name, made.value);
    END LOOP;
END $$;
"""

_ALL = text("""
    WITH tried AS (SELECT job_id, jsonb_agg(to_jsonb(a) ORDER BY a.attempt) AS rows FROM attempts a GROUP BY 1),
         shown AS (SELECT job_id, jsonb_agg(to_jsonb(f) ORDER BY f.kind) AS rows FROM artifacts f GROUP BY 1),
         counted AS (SELECT owner, status, sum(n)::int AS n FROM (
             SELECT owner, status, count AS n FROM job_counts
             UNION ALL SELECT owner, status, delta FROM job_count_deltas) AS c GROUP BY 1, 2 HAVING sum(n) <> 0)
    SELECT (SELECT jsonb_agg(jsonb_build_array(to_jsonb(j), coalesce(t.rows, '[]'), coalesce(s.rows, '[]'))
                             ORDER BY j.id)
            FROM jobs j LEFT JOIN tried t ON t.job_id = j.id LEFT JOIN shown s ON s.job_id = j.id) AS jobs,
           (SELECT jsonb_agg(jsonb_build_array(owner, status, n)) FROM counted) AS counts""")


_WAITING = text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid())")


@dataclass(frozen=True, slots=True)
class State:
    """All that the database knows of one job."""

    job: Mapping[str, Any]
    attempts: tuple[Mapping[str, Any], ...]
    artifacts: tuple[Mapping[str, Any], ...]

    @property
    def status(self) -> str:
        """Where the job stands."""
        return str(self.job["status"])

    @property
    def attempt(self) -> int:
        """The fencing token."""
        return int(self.job["attempt"])

    @property
    def final(self) -> bool:
        """Whether only a person's retry leads on."""
        return self.status not in {"queued", "running"}

    @property
    def last(self) -> Mapping[str, Any]:
        """The latest attempt."""
        return self.attempts[-1]

    def at(self, column: str) -> datetime | None:
        """A time of the job's row."""
        value = self.job[column]
        return None if value is None else datetime.fromisoformat(value)

    def due(self, now: datetime) -> bool:
        """Whether it is queued and its time has come."""
        return self.status == "queued" and _known(self.at("not_before")) <= now

    def expired(self, now: datetime) -> bool:
        """Whether it runs under a lease that has run out."""
        return self.status == "running" and _known(self.at("lease_until")) < now


def _known(time: datetime | None) -> datetime:
    assert time is not None
    return time


class World:
    """The database under test. Calls go by turns through a transaction and through autocommit, over two connections."""

    def __init__(self, url: str) -> None:
        setup = create_engine(url)
        with setup.begin() as connection:
            connection.exec_driver_sql(_FATE)
        setup.dispose()
        self.now = self.up_since = DAWN
        self._statements = create_engine(url, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)
        self._transactions = create_engine(url)
        self._turns = 0

    def close(self) -> None:
        """Let go of the database."""
        self._statements.dispose()
        self._transactions.dispose()

    def begin_anew(self) -> None:
        """Forget every job and set the clock back."""
        with self._statements.connect() as connection:
            for table in ("jobs", "job_count_deltas", "job_counts", "workers", "pauses"):
                connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - names from here
            connection.execute(text("ALTER SEQUENCE fate.ids RESTART"))
        self.now, self.up_since = DAWN, DAWN - timedelta(days=1)

    def advance(self, seconds: float, *, restart: bool = False, chance: float = 0) -> None:
        """Let time go by; with ``restart`` the database has come up only now. ``chance`` is what random() says."""
        self.now += timedelta(seconds=seconds)
        if restart:
            self.up_since = self.now
        with self._statements.connect() as connection:
            connection.execute(
                text("UPDATE fate.hand SET now = :now, up_since = :up_since, chance = :chance"),
                {"now": self.now, "up_since": self.up_since, "chance": chance},
            )

    def do(self, call: Callable[[Connection], T], *, chance: float = 0) -> T:
        """Run one function of the lifecycle, a moment after the one before."""
        self.advance(0.001, chance=chance)
        self._turns += 1
        return self.in_transaction(call) if self._turns % 2 else self.at_once(call)

    def in_transaction(self, call: Callable[[Connection], T]) -> T:
        """Run as the dispatcher and the web do."""
        with self._transactions.begin() as connection:
            return call(connection)

    def at_once(self, call: Callable[[Connection], T]) -> T:
        """Run as the workers do."""
        with self._statements.connect() as connection:
            return call(connection)

    def overlap(self, first: Callable[[Connection], T], second: Callable[[Connection], T]) -> tuple[T, T]:
        """Run both at once: the second begins while the first holds its locks and has not committed."""
        with ThreadPoolExecutor(1) as pool:
            with self._transactions.begin() as connection:
                one = first(connection)
                other = pool.submit(self.at_once, second)
                while not other.done() and not connection.execute(_WAITING).scalar_one():
                    pass
            return one, other.result()

    def look(self) -> tuple[dict[uuid.UUID, State], Counter[tuple[str, str]]]:
        """Read all jobs in the order of their ids, and the roll-up: how many jobs each owner has in each state."""
        row = self.at_once(lambda connection: connection.execute(_ALL).one())
        states = [State(job, tuple(attempts), tuple(artifacts)) for job, attempts, artifacts in row.jobs or ()]
        counts = Counter({(owner, status): number for owner, status, number in row.counts or ()})
        return {uuid.UUID(state.job["id"]): state for state in states}, counts
