"""What admins see of the messages that nobody could deliver, and what they decide on them."""

import time
import uuid
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy import Connection, select, tuple_

from services.web.backends import Backends
from services.web.cursor import Cursor
from services.web.problems import Problem, admins_only, not_found
from services.web.shapes import DeadLetter, DeadLetterPage, Decided
from services.web.views import Person
from shared import dead_letters, lifecycle
from shared.dead_letters import Letter
from shared.jobs import Pending
from shared.models import DeadLetter as Row
from shared.models import Job, JobStatus

#: Messages that one transaction decides on.
_BATCH = 500
#: After so many seconds no other batch begins.
_SECONDS = 3.0
#: Characters of a message that are shown.
_PREVIEW = 300
_DEED = "decide on messages that nobody could deliver"

log = structlog.get_logger()

#: Decides on messages in hand; returns those it was done to, and the jobs to announce.
_Decide = Callable[[Connection, Sequence[Letter]], tuple[list[Letter], list[Pending]]]

_LISTED = select(
    *(c for c in Row.__table__.c if c.name != "data"),
    Row.data,
    Job.object,
    Job.status.label("job_status"),
).outerjoin(Job, Job.id == Row.job_id)


def _why(job_id: uuid.UUID | None, status: JobStatus | None, deliveries: int, *, whole: bool) -> str:
    """Say what probably happened, judged by what became of the job."""
    times = f"{deliveries} times" if deliveries else "again and again"
    if job_id is None:
        words = f"It names no job, so Spotmill did not send it. It was delivered {times} and no worker answered."
        return words if whole else f"{words} It is too long to be kept whole, so it cannot be replayed."
    if status is None:
        return "It names a job that does not exist, or no longer. Discard it."
    if status is JobStatus.QUEUED:
        return (
            f"Its job still waits. Workers received the message {times}, and each was taken away, ended, or could not "
            "reach the database before it had taken the job. Replay it once that is mended."
        )
    if status is JobStatus.RUNNING:
        return "A worker holds its job by now; only this message of it was given up. Discard it."
    return f"Its job is over ({status}); only the answer to this message was lost. Discard it."


def _shape(row: object) -> DeadLetter:
    values = dict(row._mapping)  # type: ignore[attr-defined]  # noqa: SLF001 - SQLAlchemy's public name
    data, name, status = bytes(values.pop("data")), values.pop("object"), values["job_status"]
    whole = len(data) == values["size_bytes"]
    return DeadLetter(
        **values,
        filename=None if name is None else name.rsplit("/", 1)[-1],
        preview=data[: 4 * _PREVIEW].decode(errors="replace")[:_PREVIEW],
        why=_why(values["job_id"], status, values["delivery_attempts"], whole=whole),
        can_replay=status is JobStatus.QUEUED or (values["job_id"] is None and whole),
    )


def read_page(backends: Backends, person: Person, cursor: Cursor | None, limit: int) -> DeadLetterPage:
    """List the messages that wait for a decision, newest first.

    Raises:
        Problem: 403, this is no admin.
    """
    admins_only(person, "see messages that nobody could deliver")
    wanted = _LISTED.where(Row.replayed_at.is_(None), Row.discarded_at.is_(None))
    if cursor:
        wanted = wanted.where(tuple_(Row.received_at, Row.id) < tuple_(cursor.created_at, cursor.id))
    with backends.transaction(person) as connection:
        rows = connection.execute(wanted.order_by(Row.received_at.desc(), Row.id.desc()).limit(limit + 1)).all()
    shown = [_shape(row) for row in rows[:limit]]
    more = len(rows) > limit
    return DeadLetterPage(
        dead_letters=shown,
        next_cursor=Cursor(shown[-1].received_at, shown[-1].id).encode() if more else None,
    )


def replay(backends: Backends, person: Person, letter_id: uuid.UUID) -> DeadLetter:
    """Announce the message's job anew; a message that names none is published again as it was.

    Raises:
        Problem: 403, no admin; 404; 409, it was decided on before, or replaying it would do nothing.
    """
    return _decide_one(backends, person, letter_id, _replaying(backends, person))


def discard(backends: Backends, person: Person, letter_id: uuid.UUID) -> DeadLetter:
    """Give the message up; a job that waits for nothing else is cancelled, and can be retried.

    Raises:
        Problem: 403, no admin; 404; 409, it was decided on before.
    """
    return _decide_one(backends, person, letter_id, _discarding(person))


def replay_all(backends: Backends, person: Person) -> Decided:
    """Replay what can be, the oldest first, as much as a few seconds allow.

    Raises:
        Problem: 403, this is no admin.
    """
    return _decide_all(backends, person, _replaying(backends, person))


def discard_all(backends: Backends, person: Person) -> Decided:
    """Discard all of them, the oldest first, as much as a few seconds allow.

    Raises:
        Problem: 403, this is no admin.
    """
    return _decide_all(backends, person, _discarding(person))


def _replaying(backends: Backends, person: Person) -> _Decide:
    def decide(connection: Connection, letters: Sequence[Letter]) -> tuple[list[Letter], list[Pending]]:
        queued, due = lifecycle.reannounce(connection, [letter.job_id for letter in letters if letter.job_id])
        plain = [letter for letter in letters if letter.job_id is None and letter.whole]
        if plain:
            _resend(backends, plain)
        done = [*(letter for letter in letters if letter.job_id in queued), *plain]
        dead_letters.mark_replayed(connection, done, by=person.email)
        return done, due

    return decide


def _resend(backends: Backends, letters: Sequence[Letter]) -> None:
    from google.cloud.pubsub_v1.types import PubsubMessage  # noqa: PLC0415 - slow to load, and hardly ever needed

    backends.resend([PubsubMessage(data=letter.data, attributes=letter.attributes) for letter in letters])


def _discarding(person: Person) -> _Decide:
    def decide(connection: Connection, letters: Sequence[Letter]) -> tuple[list[Letter], list[Pending]]:
        reason = f"Cancelled by {person.email}, as its message could not be delivered to any worker."
        lifecycle.cancel(connection, dead_letters.waiting_jobs(connection, letters), reason=reason)
        dead_letters.mark_discarded(connection, letters, by=person.email)
        return list(letters), []

    return decide


def _decide_one(backends: Backends, person: Person, letter_id: uuid.UUID, decide: _Decide) -> DeadLetter:
    admins_only(person, _DEED)
    with backends.transaction(person) as connection:
        letter = dead_letters.lock(connection, letter_id)
        done, due = decide(connection, [letter]) if letter else ([], [])
        row = connection.execute(_LISTED.where(Row.id == letter_id)).one_or_none()
    if row is None:
        raise not_found("message")
    shown = _shape(row)
    if letter is None:
        by = shown.replayed_by or shown.discarded_by
        deed = "replayed" if shown.replayed_at else "discarded"
        raise Problem(409, "It is decided already", f"The message was {deed} by {by}.")
    if not done:
        raise Problem(409, "It cannot be replayed", shown.why)
    _tell(backends, person, 1, due)
    return shown


def _decide_all(backends: Backends, person: Person, decide: _Decide) -> Decided:
    admins_only(person, _DEED)
    until, total = time.monotonic() + _SECONDS, 0
    last: Letter | None = None
    while True:
        with backends.transaction(person) as connection:
            letters = dead_letters.lock_some(connection, after=last, most=_BATCH)
            done, due = decide(connection, letters) if letters else ([], [])
            left = dead_letters.open_count(connection)
        _tell(backends, person, len(done), due)
        total += len(done)
        if len(letters) < _BATCH or time.monotonic() > until:
            return Decided(done=total, left=left)
        last = letters[-1]


def _tell(backends: Backends, person: Person, done: int, due: Sequence[Pending]) -> None:
    if due:
        backends.announce(person, due)
    log.info("messages.decided", by=person.email, messages=done, announced=len(due))
