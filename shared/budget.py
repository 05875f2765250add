"""What Cloud Billing said last of the workers' budget: whether it is spent, since when, and how much."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class BudgetNotice:
    """One notification. ``amount`` is the whole budget, ``cost`` what of it is spent, both in ``currency``."""

    name: str
    cost: float
    amount: float
    currency: str
    interval_start: datetime
    published_at: datetime


@dataclass(frozen=True, slots=True)
class SpentView:
    """A budget that is spent; ``spent_at`` is when Cloud Billing first said so in this period."""

    name: str
    cost: float
    amount: float
    currency: str
    interval_start: datetime
    spent_at: datetime


# Notifications may come twice and out of order: what is older than the one that is known says nothing.
_NOTE = text("""
    INSERT INTO budgets AS known (name, cost, amount, currency, interval_start, published_at, spent_at)
    SELECT n.*, CASE WHEN n.cost >= n.amount THEN n.published_at END
    FROM (SELECT CAST(:name AS text), CAST(:cost AS float8) AS cost, CAST(:amount AS float8) AS amount,
                 CAST(:currency AS text), CAST(:interval_start AS timestamptz),
                 CAST(:published_at AS timestamptz) AS published_at) AS n
    ON CONFLICT (name) DO UPDATE SET
        cost = excluded.cost, amount = excluded.amount, currency = excluded.currency,
        interval_start = excluded.interval_start, published_at = excluded.published_at,
        spent_at = CASE WHEN known.interval_start = excluded.interval_start AND excluded.spent_at IS NOT NULL
                        THEN coalesce(known.spent_at, excluded.spent_at) ELSE excluded.spent_at END
    WHERE known.published_at <= excluded.published_at""")


def note(connection: Connection, notice: BudgetNotice) -> None:
    """Keep what a notification says, unless a later one is known: a budget is spent until one says that it is not."""
    connection.execute(
        _NOTE,
        {
            "name": notice.name,
            "cost": notice.cost,
            "amount": notice.amount,
            "currency": notice.currency,
            "interval_start": notice.interval_start,
            "published_at": notice.published_at,
        },
    )


_SPENT = text("""
    SELECT name, cost, amount, currency, interval_start, spent_at FROM budgets
    WHERE spent_at IS NOT NULL ORDER BY spent_at LIMIT 1""")


def spent(connection: Connection) -> SpentView | None:
    """Return the budget that is spent, the one that was first if there are several; None while none is."""
    row = connection.execute(_SPENT).one_or_none()
    return None if row is None else SpentView(*row)
