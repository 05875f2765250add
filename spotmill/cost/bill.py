"""From quantities to money."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from spotmill.cost.deployment import Deployment, Workload
from spotmill.cost.prices import Price, PriceError, PriceTable
from spotmill.cost.usage import SPOT, Usage, idle, together, working


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a bill."""

    sku: str
    price: Price
    quantity: Decimal
    #: What is above the free part.
    billed: Decimal
    #: What it costs today.
    usd: Decimal
    #: What it costs once Google charges it, if that is later.
    later_usd: Decimal


@dataclass(frozen=True, slots=True)
class Bill:
    """What a month costs."""

    lines: Sequence[Line]

    @property
    def usd(self) -> Decimal:
        """The whole."""
        return self.part("")

    @property
    def later(self) -> Sequence[Line]:
        """What Google will charge, and does not yet."""
        return [line for line in self.lines if line.later_usd]

    @property
    def unproven(self) -> Sequence[Line]:
        """Lines that rest on a price which no page of Google's was found to say."""
        return [line for line in self.lines if line.price.unproven]

    def part(self, prefix: str) -> Decimal:
        """Return what the items cost whose names in the price table begin so."""
        return sum((line.usd for line in self.lines if line.sku.startswith(prefix)), Decimal(0))


def bill(usage: Usage, prices: PriceTable, deployment: Deployment, today: date) -> Bill:
    """Price what is used; what costs most comes first.

    Raises:
        PriceError: the table has no price for something, or not for the deployment's region.
    """
    if deployment.region not in prices.regions:
        regions = ", ".join(prices.regions)
        raise PriceError(
            f"The price table is for {regions}, not for {deployment.region}; give another (--prices FILE)."
        )
    lines = [_line(sku, used, _price(sku, prices, deployment), today) for sku, used in usage.items()]
    used = [line for line in lines if line.quantity]
    return Bill(sorted(used, key=lambda line: (-line.usd, -line.later_usd, line.price.name)))


def monthly(deployment: Deployment, workload: Workload, prices: PriceTable, today: date) -> Bill:
    """Return the bill of a deployment that does this besides waiting.

    Raises:
        PriceError: as ``bill``.
    """
    return bill(together(idle(deployment), working(deployment, workload)), prices, deployment, today)


def _price(sku: str, prices: PriceTable, deployment: Deployment) -> Price:
    if sku != SPOT:
        return prices.price(sku)
    usd = prices.spot_hour(deployment.machine_type, {deployment.gpu: 1} if deployment.gpu else {})
    name = f"Spot VMs, {deployment.machine_type}{f' with {deployment.gpu}' if deployment.gpu else ''}"
    return Price(name=name, usd=usd, unit="hour", source=prices.machines.source)


def _line(sku: str, quantity: Decimal, price: Price, today: date) -> Line:
    billed = max(quantity - price.free, Decimal(0))
    usd = billed * price.usd
    is_later = price.charged_from is not None and today < price.charged_from
    return Line(sku, price, quantity, billed, Decimal(0) if is_later else usd, usd if is_later else Decimal(0))
