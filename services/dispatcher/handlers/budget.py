"""Cloud Billing says how much of the workers' budget is spent."""

from datetime import datetime

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from services.dispatcher.backends import Backends
from shared import budget, runs
from shared.budget import BudgetNotice
from shared.messages import MalformedError
from shared.models import StopMode

#: Who stopped the run, as the pages show it.
BUDGET = "the budget"

log = structlog.get_logger()


class BudgetNotification(BaseModel):
    """The part of a notification that matters.

    Source: https://cloud.google.com/billing/docs/how-to/budgets-programmatic-notifications#notification_format
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    cost: float = Field(alias="costAmount", allow_inf_nan=False)
    amount: float = Field(alias="budgetAmount", gt=0, allow_inf_nan=False)
    name: str = Field("", alias="budgetDisplayName")
    currency: str = Field("USD", alias="currencyCode")
    interval_start: AwareDatetime | None = Field(None, alias="costIntervalStart")


def handle(backends: Backends, data: bytes, published_at: datetime) -> None:
    """Keep what is said for the pages, and stop the open run while the whole budget is spent.

    A run that an admin started although it is spent goes on.

    Raises:
        MalformedError: it is no budget notification.
    """
    try:
        said = BudgetNotification.model_validate_json(data)
    except ValidationError as error:
        raise MalformedError(str(error)) from None
    interval_start = said.interval_start or published_at
    notice = BudgetNotice(said.name, said.cost, said.amount, said.currency, interval_start, published_at)
    with backends.engine.begin() as connection:
        runs.lock_fleet(connection)  # whoever presses Run meanwhile sees what is said here
        budget.note(connection, notice)
        spent, run = budget.spent(connection), runs.current(connection)
        stops = spent is not None and run is not None and not run.beyond_budget
        if stops:
            runs.stop(connection, by=BUDGET, mode=StopMode.NOW)
    if spent is not None:
        log.error("budget.spent", budget=spent.name, cost=spent.cost, limit=spent.amount, stopped=stops)
