"""An object was completely written."""

from services.dispatcher.backends import Backends
from services.dispatcher.intake import Arrival, take_in
from shared.messages import StorageObject


def handle(backends: Backends, resource: StorageObject) -> None:
    """Record the object's job and publish it."""
    take_in(backends, [Arrival(resource)])
