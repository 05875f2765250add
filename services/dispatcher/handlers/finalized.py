"""An object was completely written."""

from services.dispatcher.backends import Backends
from services.dispatcher.intake import take_in
from services.dispatcher.recording import Arrival
from shared.messages import StorageObject


def handle(backends: Backends, resource: StorageObject) -> None:
    """Record the object's job and publish it."""
    take_in(backends, [Arrival(resource)])
