"""The dispatcher's one CloudEvent function (``functions-framework --target dispatch``)."""

import functions_framework
from cloudevents.http import CloudEvent

from services.dispatcher.backends import Backends
from services.dispatcher.router import Router
from shared import logging
from shared.settings import DispatcherSettings, load

# A missing setting ends the process here, with its name: nothing half-starts.
_settings = load(DispatcherSettings)
logging.configure_from("dispatcher", _settings)
_router = Router(Backends(_settings))


@functions_framework.cloud_event
def dispatch(event: CloudEvent) -> None:
    """Handle one event; what is raised becomes a 5xx answer, and Eventarc delivers the event again."""
    _router.handle(event)
