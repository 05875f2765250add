"""Cloud Billing says how much of the workers' budget is spent."""

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.dispatcher.backends import Backends
from shared import runs
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

    cost: float = Field(alias="costAmount", ge=0)
    budget: float = Field(alias="budgetAmount", gt=0)
    name: str = Field("", alias="budgetDisplayName")


def handle(backends: Backends, data: bytes) -> None:
    """Stop the open run once the whole budget is spent.

    Raises:
        MalformedError: it is no budget notification.
    """
    try:
        notice = BudgetNotification.model_validate_json(data)
    except ValidationError as error:
        raise MalformedError(str(error)) from None
    if notice.cost < notice.budget:
        return
    with backends.engine.begin() as connection:
        stopped = runs.stop(connection, by=BUDGET, mode=StopMode.NOW)
    log.error("budget.spent", budget=notice.name, cost=notice.cost, limit=notice.budget, stopped=stopped is not None)
