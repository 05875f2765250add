"""Protocol buffers spliced from bytes: a stored message goes to a subscriber without being parsed again.

PullResponse and StreamingPullResponse both keep ``received_messages`` in field 1
(https://protobuf.dev/programming-guides/encoding/).
"""

_ACK_ID = b"\x0a"
_MESSAGE = b"\x12"
_DELIVERY_ATTEMPT = b"\x18"
_RECEIVED_MESSAGES = b"\x0a"


def varint(value: int) -> bytes:
    """A non-negative integer as protocol buffers write it."""
    if value < 0x80:
        return bytes((value,))
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def received_message(ack_id: str, message: bytes, delivery_attempt: int) -> bytes:
    """One element of ``received_messages``, tag and length included; attempt 0 is left out."""
    ack = ack_id.encode()
    head = b"".join((_ACK_ID, varint(len(ack)), ack, _MESSAGE, varint(len(message))))
    tail = _DELIVERY_ATTEMPT + varint(delivery_attempt) if delivery_attempt else b""
    size = varint(len(head) + len(message) + len(tail))
    return b"".join((_RECEIVED_MESSAGES, size, head, message, tail))
