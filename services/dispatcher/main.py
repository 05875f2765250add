"""The dispatcher's one CloudEvent function (``functions-framework --target dispatch``)."""

import functions_framework
import structlog
from cloudevents.http import CloudEvent
from flask import request

from services.dispatcher.backends import Backends
from services.dispatcher.router import Router
from shared import logging
from shared.settings import DispatcherSettings, load
from shared.tracing import fields_of_request

# A missing setting ends the process here, with its name: nothing half-starts.
_settings = load(DispatcherSettings)
logging.configure_from("dispatcher", _settings)
_router = Router(Backends(_settings))


@functions_framework.cloud_event
def dispatch(event: CloudEvent) -> None:
    """Handle one event; what is raised becomes a 5xx answer, and Eventarc delivers the event again."""
    with structlog.contextvars.bound_contextvars(**fields_of_request(request.headers.get)):
        _router.handle(event)
