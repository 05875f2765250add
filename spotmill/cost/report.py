"""A bill for a terminal, and for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from textwrap import fill
from typing import Any

from spotmill.cost.bill import Bill, Line, monthly
from spotmill.cost.deployment import Deployment, Workload
from spotmill.cost.prices import PriceTable

_WIDTH = 100
_COLUMNS = ("item", "used", "free", "to pay for", "unit", "USD")
_NUMERIC = frozenset({"used", "free", "to pay for", "USD"})


def text(deployment: Deployment, workload: Workload, prices: PriceTable, today: date) -> str:
    """Write the bill of a month, and what to know about it.

    Raises:
        PriceError: the table has no price for something.
    """
    whole = monthly(deployment, workload, prices, today)
    waiting = monthly(deployment, Workload(), prices, today)
    title = f"Spotmill in {deployment.region}, one month, {'idle' if workload.is_idle else 'with this workload'}"
    totals = [("total", whole.usd)]
    if not workload.is_idle:
        totals.append(("of which idle", waiting.usd))
    notes = _notes(deployment, whole, waiting, prices, today)
    return "\n".join([title, "", *_table(whole, totals), *(f"\n{fill(note, _WIDTH)}" for note in notes)]) + "\n"


def document(deployment: Deployment, workload: Workload, prices: PriceTable, today: date) -> dict[str, Any]:
    """Return the same for programs. Numbers are text, as money is no binary fraction.

    Raises:
        PriceError: the table has no price for something.
    """
    whole = monthly(deployment, workload, prices, today)
    waiting = monthly(deployment, Workload(), prices, today)
    return {
        "region": deployment.region,
        "prices_looked_up": prices.looked_up.isoformat(),
        "stale": prices.is_stale(today),
        "usd": _plain(whole.usd),
        "idle_usd": _plain(waiting.usd),
        "items": [_item(line) for line in whole.lines],
    }


def _item(line: Line) -> dict[str, Any]:
    price = line.price
    return {
        "sku": line.sku,
        "name": price.name,
        "unit": price.unit,
        "quantity": _plain(line.quantity),
        "free": _plain(price.free),
        "billed": _plain(line.billed),
        "usd_per_unit": _plain(price.usd),
        "usd": _plain(line.usd),
        "later_usd": _plain(line.later_usd),
        "charged_from": price.charged_from and price.charged_from.isoformat(),
        "as_of": price.as_of and price.as_of.isoformat(),
        "source": price.source,
        "unproven": price.unproven,
    }


def _table(bill: Bill, totals: Sequence[tuple[str, Decimal]]) -> Iterator[str]:
    rows = [
        (
            line.price.name,
            _short(line.quantity),
            _short(line.price.free) if line.price.free else "",
            _short(line.billed) if line.billed else "",
            line.price.unit,
            "later" if line.later_usd else _money(line.usd),
        )
        for line in bill.lines
    ]
    ends = [(name, "", "", "", "", _money(usd)) for name, usd in totals]
    widths = [max(len(row[column]) for row in [_COLUMNS, *rows, *ends]) for column in range(len(_COLUMNS))]
    for row in [_COLUMNS, tuple("-" * width for width in widths), *rows, tuple("-" * width for width in widths), *ends]:
        cells = zip(_COLUMNS, row, widths, strict=True)
        yield "  ".join(
            cell.rjust(width) if name in _NUMERIC else cell.ljust(width) for name, cell, width in cells
        ).rstrip()


def _notes(deployment: Deployment, whole: Bill, waiting: Bill, prices: PriceTable, today: date) -> Iterator[str]:
    yield from _budget(deployment, waiting, prices, today)
    if later := whole.later:
        usd, day = sum((line.later_usd for line in later), Decimal(0)), min(_days(later))
        yield (
            f"Not yet charged: alerts. Google says it will not before {day}; at the prices it names, these cost"
            f" {_money(usd)} USD more then."
        )
    yield (
        "Free parts are for each billing account (of Cloud Logging: each project), so what other projects use of them"
        " is not free here. Free altogether: IAP, budgets, private services access, uploads, traffic within the region."
    )
    yield (
        "Not in it: taxes, support, what discounts take off, AI services, and downloads by other ways than Cloud"
        " Storage."
    )
    yield (
        f"Prices looked up on {prices.looked_up}; spotmill/cost/prices.yaml has their sources. Google changes spot"
        " prices up to once a day; --prices FILE takes others."
    )
    if whole.unproven:
        names = ", ".join(line.price.name for line in whole.unproven)
        yield f"Unproven prices, read in no page of Google's: {names}."
    if prices.is_stale(today):
        days = (today - prices.looked_up).days
        yield f"WARNING: these prices were looked up {days} days ago. Read their sources again before you rely on them."


def _budget(deployment: Deployment, waiting: Bill, prices: PriceTable, today: date) -> Iterator[str]:
    budget, database = deployment.project_budget_usd, waiting.part("cloud-sql/")
    stopped = monthly(replace(deployment, database_hours=Decimal(0)), Workload(), prices, today).usd
    if not deployment.database_hours:
        yield (
            "The database is stopped: only its disk, its backups and the images cost anything, and nothing works until"
            " it runs again (database.stopped = false)."
        )
    elif database > budget:
        yield (
            f"The database alone costs {_money(database)} USD a month, which is more than the project's budget of"
            f" {_money(budget)} USD: even the smallest Cloud SQL does. So the budget's mails come every month, unless"
            " you raise it (budget.project_amount), or stop the database while nobody needs the mill"
            f" (database.stopped = true): {_money(stopped)} USD a month are left then."
        )
    elif waiting.usd > budget:
        yield f"Idle alone, this is more than the project's budget of {_money(budget)} USD (budget.project_amount)."


def _days(lines: Sequence[Line]) -> Iterator[date]:
    return (line.price.charged_from for line in lines if line.price.charged_from is not None)


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _money(usd: Decimal) -> str:
    cents = usd.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return "<0.01" if usd and not cents else f"{cents:,}"


def _short(quantity: Decimal) -> str:
    """Two digits after the point, and none of large numbers."""
    if quantity >= 100 or quantity == quantity.to_integral_value():
        return f"{quantity:,.0f}"
    return "<0.01" if 0 < quantity < Decimal("0.005") else f"{quantity:,.2f}"
