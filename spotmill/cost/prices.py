"""The table of prices: ``prices.yaml`` beside this file, or another of the same form."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

#: Hours in Google's month.
MONTH_HOURS = Decimal(730)
PRICES = Path(__file__).with_name("prices.yaml")
#: After this, somebody should look the prices up again.
STALE_AFTER = timedelta(days=180)

Amount = Annotated[Decimal, Field(ge=0)]


class PriceError(Exception):
    """A price is not in the table, or the table cannot be read; the text says which and what to do."""


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Price(_Entry):
    """What one unit of something costs."""

    name: str
    usd: Amount
    unit: str
    #: Units that cost nothing in a month.
    free: Amount = Decimal(0)
    free_per: Literal["billing account", "project"] = "billing account"
    #: Day that the source speaks of; None where it bears no date.
    as_of: date | None = None
    source: str | None = None
    #: First day on which Google charges it.
    charged_from: date | None = None
    #: Whether no page of Google's was found to say it.
    unproven: bool = False

    @model_validator(mode="after")
    def _needs_a_source(self) -> Self:
        if self.source is None and not self.unproven:
            raise ValueError("a price without a source must be marked unproven")
        return self


class Machine(_Entry):
    """What one machine, or one GPU, costs in an hour, without its disk."""

    spot_usd: Amount
    on_demand_usd: Amount
    #: GPUs that the machine type always has, by type.
    gpus: Annotated[Mapping[str, int], AfterValidator(MappingProxyType)] = Field(default_factory=dict)


class _Machines(_Entry):
    source: str
    types: Mapping[str, Machine]
    gpus: Mapping[str, Machine] = Field(default_factory=dict)


class PriceTable(_Entry):
    """Prices by the name of what they are for, and those of machines by type."""

    looked_up: date
    regions: Sequence[str]
    prices: Mapping[str, Price]
    machines: _Machines

    def price(self, sku: str) -> Price:
        """Return a price.

        Raises:
            PriceError: the table has none.
        """
        if (price := self.prices.get(sku)) is None:
            raise PriceError(f"The price table has no {sku!r}.")
        return price

    def spot_hour(self, machine_type: str, gpus: Mapping[str, int] = MappingProxyType({})) -> Decimal:
        """Return the spot price of one VM in USD per hour, without its disk.

        Args:
            machine_type: such as ``n2d-standard-4``.
            gpus: GPUs by type, beside those that the machine type always has.

        Raises:
            PriceError: the table does not know the machine type or the GPU.
        """
        machine = _find(self.machines.types, machine_type, "machine type")
        attached = {**machine.gpus, **gpus}
        return machine.spot_usd + sum(
            (_find(self.machines.gpus, gpu, "GPU").spot_usd * count for gpu, count in attached.items()), Decimal(0)
        )

    def vm_hour(self, machine_type: str, disk_gb: int, gpus: Mapping[str, int] = MappingProxyType({})) -> Decimal:
        """Return what one worker VM costs in USD per hour with its disk: the value of ``SPOTMILL_VM_HOURLY_USD``.

        Raises:
            PriceError: the table does not know the machine type or the GPU.
        """
        disk = self.price("compute/pd-balanced").usd * disk_gb / MONTH_HOURS
        return self.spot_hour(machine_type, gpus) + disk

    def is_stale(self, today: date) -> bool:
        """Tell whether the prices were looked up too long ago."""
        return today - self.looked_up > STALE_AFTER


def _find(machines: Mapping[str, Machine], name: str, kind: str) -> Machine:
    if (machine := machines.get(name)) is None:
        known = ", ".join(sorted(machines)) or "none"
        raise PriceError(
            f"The price table has no {kind} {name!r}; it knows {known}."
            f" Add it to a copy of {PRICES.name} (--prices FILE)."
        )
    return machine


def load(path: Path = PRICES) -> PriceTable:
    """Read a table of prices.

    Raises:
        PriceError: the file cannot be read, or is no table of prices; the text names each wrong entry.
    """
    try:
        return PriceTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise PriceError(f"The price table {path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise PriceError(f"The price table {path} is no YAML: {error}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise PriceError(f"The price table {path} is wrong: {wrong}") from None
