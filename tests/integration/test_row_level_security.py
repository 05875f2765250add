"""Postgres itself keeps people apart: whoever holds the web's role cannot reach another person's rows, in any table."""

# ruff: noqa: S608 - the tables that stand in statements are named in this file

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from shared.database import acting_as
from shared.models import Base

ANN, BOB = "ann@example.com", "bob@example.com"
#: Tables whose rows belong to a person, directly or through a job, and the column by which the test finds Bob's.
PERSONAL = {"jobs": "id", **dict.fromkeys(("attempts", "artifacts", "passages", "speakers"), "job_id")}
#: Tables that the web's role may not touch at all: what they say reaches it through functions that apply the rule.
CLOSED = {"job_counts", "job_count_deltas"}
#: Tables for admins.
ADMINS = {"dead_letters"}
#: Tables that say the same to everybody: fleet, runs, pauses, budgets, and what can be processed.
COMMON = {"runs", "workers", "pauses", "budgets", "pipelines", "alembic_version"}


_JOB = text("""
    INSERT INTO jobs (id, bucket, object, generation, pipeline, owner, size_bytes, content_type, status, attempt,
                      finished_at)
    VALUES (:job, 'uploads', :name, 1, 'image', :owner, 1, 'image/jpeg', 'succeeded', 1, now())""")
_ATTEMPT = text("""
    INSERT INTO attempts (job_id, attempt, worker, ended_at, outcome) VALUES (:job, 1, 'w', now(), 'succeeded')""")
_ARTIFACT = text("""
    INSERT INTO artifacts (job_id, attempt, kind, bucket, object, generation, content_type, size_bytes, crc32c,
                           filename)
    VALUES (:job, 1, 'thumbnail', 'results', :name, 1, 'image/webp', 1, 'AAAAAA==', 'a.webp')""")
_PASSAGE = text("""
    INSERT INTO passages (job_id, attempt, ordinal, start_seconds, end_seconds, speaker, language, text)
    VALUES (:job, 1, 1, 0, 2, 'S1', 'en', 'We sell the harbour.')""")
_SPEAKER = text("INSERT INTO speakers (job_id, label, name, renamed_by) VALUES (:job, 'S1', 'Eve', 'eve@example.com')")
_DEAD_LETTER = text("""
    INSERT INTO dead_letters (message_id, published_at, subscription, delivery_attempts, job_id, data, size_bytes,
                              attributes)
    VALUES ('1', now(), 's', 100, :job, '\\x00', 1, '{}')""")


@dataclass(frozen=True)
class Tenants:
    """A database with a finished job of Ann, of Bob and of nobody, and the web's engine."""

    web: Engine
    jobs: dict[str | None, uuid.UUID]

    def as_(self, person: str, *, admin: bool = False) -> "Session":
        return Session(self.web, person, admin)


class Session:
    """A transaction on behalf of somebody, undone at the end."""

    def __init__(self, web: Engine, person: str, admin: bool) -> None:
        self._connection, self._person, self._admin = web.connect(), person, admin

    def __enter__(self) -> Connection:
        self._acting = acting_as(self._connection, self._person, admin=self._admin)
        return self._acting.__enter__()

    def __exit__(self, *_: object) -> None:
        self._connection.rollback()
        self._connection.close()


@pytest.fixture
def tenants(engine: Engine, database_url: str) -> Iterator[Tenants]:
    """Three jobs with one row each in every other table, a dead letter, and a login in the web's group."""
    login = f"web_{uuid.uuid4().hex[:12]}"
    jobs: dict[str | None, uuid.UUID] = {person: uuid.uuid4() for person in (ANN, BOB, None)}
    with engine.begin() as owner:
        owner.execute(text(f"CREATE ROLE {login} LOGIN PASSWORD 'web' IN ROLE spotmill_web"))
        for person, job in jobs.items():
            values = {"job": job, "owner": person, "name": f"{person}.jpg"}
            for statement in _JOB, _ATTEMPT, _ARTIFACT, _PASSAGE, _SPEAKER:
                owner.execute(statement, values)
        owner.execute(_DEAD_LETTER, {"job": jobs[BOB]})
    web = create_engine(make_url(database_url).set(username=login, password="web"))
    yield Tenants(web, jobs)
    web.dispose()
    with engine.begin() as owner:
        owner.execute(text(f"DROP ROLE {login}"))


def refused(connection: Connection, statement: str, **values: object) -> bool:
    """Tell whether Postgres forbids a statement, by grants or by policy; nothing of it stays."""
    trial = connection.begin_nested()
    try:
        connection.execute(text(statement), values)
    except DBAPIError as error:
        why = str(error.orig)
        if "permission denied" not in why and "row-level security" not in why:
            raise
        return True
    else:
        return False
    finally:
        trial.rollback()


def test_every_table_is_somebodys(engine: Engine) -> None:
    """A new table has to be sorted into one of these groups, and its protection shown here, before it passes."""
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
    assert set(tables) == set(PERSONAL) | CLOSED | ADMINS | COMMON
    assert set(Base.metadata.tables) <= set(tables)


@pytest.mark.parametrize("table", sorted(set(PERSONAL) | ADMINS))
def test_the_role_is_bound(tenants: Tenants, table: str) -> None:
    """Row-level security is on for the role on every table with somebody's rows."""
    with tenants.as_(ANN) as connection:
        assert connection.scalar(text("SELECT row_security_active(CAST(:table AS text))"), {"table": table})


@pytest.mark.parametrize("table", sorted(PERSONAL))
@pytest.mark.parametrize("person", [ANN, "", "ANN@example.com", "bob@example.co", "%", "' OR true --"])
def test_nobody_reads_anothers_rows(tenants: Tenants, table: str, person: str) -> None:
    """A person sees their own rows and those of nobody; every other name, however spelt, sees only nobody's."""
    with tenants.as_(person) as connection:
        seen = set(connection.execute(text(f"SELECT {PERSONAL[table]} FROM {table}")).scalars())
    assert seen == {tenants.jobs[None]} | ({tenants.jobs[ANN]} if person == ANN else set())


def test_a_connection_that_says_nothing_sees_nobodys_rows(tenants: Tenants) -> None:
    """A transaction that forgot to say for whom it acts is nobody's, not everybody's."""
    with tenants.web.connect() as connection:
        assert connection.execute(text("SELECT id FROM jobs")).scalars().all() == [tenants.jobs[None]]


@pytest.mark.parametrize(("table", "change"), [("jobs", "stage = 'x'"), ("attempts", "error = 'x'")])
def test_nobody_changes_anothers_rows(tenants: Tenants, table: str, change: str) -> None:
    """An update that names Bob's row finds none, and one that names no row changes only what Ann sees."""
    with tenants.as_(ANN) as connection:
        named = connection.execute(
            text(f"UPDATE {table} SET {change} WHERE {PERSONAL[table]} = :job"), {"job": tenants.jobs[BOB]}
        )
        assert named.rowcount == 0
        assert connection.execute(text(f"UPDATE {table} SET {change}")).rowcount == 2


def test_nobody_gives_or_takes_a_job(tenants: Tenants) -> None:
    """Ann cannot make her job Bob's, nor move her attempts to a job of his."""
    with tenants.as_(ANN) as connection:
        assert refused(connection, "UPDATE jobs SET owner = :bob WHERE id = :job", bob=BOB, job=tenants.jobs[ANN])
        assert refused(
            connection,
            "UPDATE attempts SET job_id = :bobs, attempt = 9 WHERE job_id = :job",
            bobs=tenants.jobs[BOB],
            job=tenants.jobs[ANN],
        )


@pytest.mark.parametrize("admin", [False, True])
@pytest.mark.parametrize("table", sorted(set(PERSONAL) | ADMINS))
def test_the_web_neither_makes_nor_deletes_rows(tenants: Tenants, table: str, admin: bool) -> None:
    """No insert, no delete, no truncate, whoever asks: the web has no use for them."""
    with tenants.as_(ANN, admin=admin) as connection:
        assert refused(connection, f"DELETE FROM {table}")
        assert refused(connection, f"TRUNCATE {table} CASCADE")
        assert refused(connection, f"INSERT INTO {table} DEFAULT VALUES")


@pytest.mark.parametrize("table", sorted(PERSONAL))
def test_admins_see_all(tenants: Tenants, table: str) -> None:
    """A named admin sees the rows of everybody."""
    with tenants.as_(ANN, admin=True) as connection:
        assert len(connection.execute(text(f"SELECT 1 FROM {table}")).all()) == 3


def test_dead_letters_are_for_admins(tenants: Tenants) -> None:
    """They may carry anybody's names: nobody else reads or decides on one."""
    with tenants.as_(BOB) as connection:
        assert connection.execute(text("SELECT 1 FROM dead_letters")).all() == []
        assert connection.execute(text("UPDATE dead_letters SET discarded_by = 'bob'")).rowcount == 0
    with tenants.as_(ANN, admin=True) as connection:
        assert len(connection.execute(text("SELECT 1 FROM dead_letters")).all()) == 1


@pytest.mark.parametrize("table", sorted(CLOSED))
def test_roll_ups_are_read_through_functions_only(tenants: Tenants, table: str) -> None:
    """They name owners, so that the role may not read them, and what it is told counts only what a person sees."""
    with tenants.as_(ANN, admin=True) as connection:
        assert refused(connection, f"SELECT * FROM {table}")
    with tenants.as_(ANN) as connection:
        counts = [tuple(row) for row in connection.execute(text("SELECT status, count FROM visible_job_counts()"))]
    assert counts == [("succeeded", 2)]


def test_searches_find_only_what_the_person_sees(tenants: Tenants) -> None:
    """The function that passes over row-level security for the sake of its index applies the rule itself."""
    find = text("SELECT id FROM search_jobs('example', NULL, NULL, NULL, NULL, 100)")
    with tenants.as_(ANN) as connection:
        assert connection.execute(find).scalars().all() == [tenants.jobs[ANN]]
    with tenants.as_("") as connection:
        assert connection.execute(find).scalars().all() == []


def test_what_was_said_is_found_only_by_who_may_hear_it(tenants: Tenants) -> None:
    """Full-text search passes over row-level security for the sake of its index, and applies the rule itself."""
    find = text("SELECT job_id FROM search_passages('harbours', 100, NULL, NULL, NULL, NULL)")
    with tenants.as_(ANN) as connection:
        assert set(connection.execute(find).scalars()) == {tenants.jobs[ANN], tenants.jobs[None]}
    with tenants.as_("") as connection:
        assert connection.execute(find).scalars().all() == [tenants.jobs[None]]
    with tenants.as_(ANN, admin=True) as connection:
        assert len(connection.execute(find).scalars().all()) == 3
    with tenants.web.connect() as connection:
        assert connection.execute(find).scalars().all() == [tenants.jobs[None]]


@pytest.mark.parametrize("given", ["Mallory", ""])
def test_nobody_names_anothers_speakers(tenants: Tenants, given: str) -> None:
    """The only way to name one refuses jobs that the person does not see."""
    name = text("SELECT name_speaker(:job, 'S1', :given)")
    read = text("SELECT name, renamed_by FROM speakers WHERE job_id = :job")
    with tenants.as_(ANN) as connection:
        assert not connection.scalar(name, {"job": tenants.jobs[BOB], "given": given})
        assert connection.scalar(name, {"job": tenants.jobs[ANN], "given": given})
        assert connection.execute(read, {"job": tenants.jobs[ANN]}).all() == ([(given, ANN)] if given else [])
        assert refused(connection, "UPDATE speakers SET name = 'Mallory'")
        connection.execute(text("SELECT set_config('spotmill.user', :bob, true)"), {"bob": BOB})
        assert connection.execute(read, {"job": tenants.jobs[BOB]}).all() == [("Eve", "eve@example.com")]


def test_functions_that_look_past_the_rule_name_nobody(tenants: Tenants, engine: Engine) -> None:
    """Each function that runs as the schema's owner, and that the web may call, is known; none of them gives owners."""
    with engine.connect() as owner:
        found = owner.execute(
            text("""SELECT p.proname, pg_get_function_result(p.oid) AS gives FROM pg_proc p
                    JOIN pg_namespace n ON n.oid = p.pronamespace
                    WHERE n.nspname = 'public' AND p.prosecdef AND p.prorettype <> 'trigger'::regtype
                      AND has_function_privilege('spotmill_web', p.oid, 'EXECUTE')""")
        ).all()
    assert {row.proname for row in found} == {
        "fleet_backlog",
        "fleet_jobs",
        "fleet_workers",
        "name_speaker",
        "queue_outlook",
        "run_jobs_done",
        "run_vm_seconds",
        "search_jobs",
        "search_passages",
        "visible_job_counts",
    }
    assert not [row.proname for row in found if "owner" in row.gives and row.proname != "search_jobs"]


def test_the_role_cannot_leave_its_bounds(tenants: Tenants) -> None:
    """It makes nothing in the schema, becomes nobody else, and cannot turn row-level security off."""
    with tenants.as_(ANN) as connection:
        assert refused(connection, "CREATE TABLE mine (id int)")
        assert refused(connection, "SET LOCAL ROLE spotmill_dispatcher")
        assert refused(connection, "SELECT fold_job_counts()")
        for statement in ("ALTER TABLE jobs DISABLE ROW LEVEL SECURITY", "DROP POLICY jobs_people ON jobs"):
            with pytest.raises(DBAPIError, match="must be owner"), connection.begin_nested():
                connection.execute(text(statement))
        connection.execute(text("SET LOCAL row_security = off"))
        with pytest.raises(DBAPIError, match="row-level security"), connection.begin_nested():
            connection.execute(text("SELECT * FROM jobs"))
