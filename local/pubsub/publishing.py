"""What a publish request may hold (https://cloud.google.com/pubsub/quotas#resource_limits)."""

from collections.abc import Sequence
from typing import Any

from local.pubsub.refusal import invalid

MAX_REQUEST_BYTES = 10_000_000
MAX_MESSAGES = 1000
_MAX_ATTRIBUTES = 100
_MAX_KEY_BYTES = 256
_MAX_VALUE_BYTES = 1024
_MAX_ORDERING_KEY_BYTES = 1024


def check(request: Any) -> None:
    """Refuse what the real service refuses.

    Raises:
        RefusedError: a limit is passed, or a message is empty.
    """
    messages: Sequence[Any] = request.messages
    if not messages:
        raise invalid("The value for message_count is too small. You passed 0 in the request, but the minimum is 1.")
    if len(messages) > MAX_MESSAGES:
        raise invalid(
            f"The value for message_count is too large. You passed {len(messages)} in the request, "
            f"but the maximum value is {MAX_MESSAGES}."
        )
    if request.ByteSize() > MAX_REQUEST_BYTES:
        raise invalid(
            f"The value for request_size is too large. You passed {request.ByteSize()} in the request, "
            f"but the maximum value is {MAX_REQUEST_BYTES}."
        )
    for message in messages:
        if message.attributes:
            _check_attributes(message.attributes)
        elif not message.data:
            raise invalid("Some messages have neither data nor attributes: a message must have at least one of them.")
        if message.ordering_key and len(message.ordering_key.encode()) > _MAX_ORDERING_KEY_BYTES:
            raise invalid(f"An ordering key is longer than {_MAX_ORDERING_KEY_BYTES} bytes.")


def _check_attributes(attributes: Any) -> None:
    if len(attributes) > _MAX_ATTRIBUTES:
        raise invalid(f"A message has {len(attributes)} attributes; the maximum is {_MAX_ATTRIBUTES}.")
    for key, value in attributes.items():
        if not key or len(key.encode()) > _MAX_KEY_BYTES or key.startswith("goog"):
            raise invalid(
                f"Attribute keys have 1 to {_MAX_KEY_BYTES} bytes and do not begin with 'goog': {key[:64]!r}."
            )
        if len(value.encode()) > _MAX_VALUE_BYTES:
            raise invalid(f"The value of attribute {key!r} is longer than {_MAX_VALUE_BYTES} bytes.")
