"""What the first bytes of a file show."""

import pytest

from services.dispatcher.recognition import type_shown
from shared.routing import UNKNOWN_TYPE


def packets(count: int, *, before: int = 0, behind: int = 0) -> bytes:
    """Make packets of MPEG-TS, each with some bytes before it and behind it."""
    return (b"\1" * before + b"\x47" + bytes(187 + behind)) * count


@pytest.mark.parametrize(
    ("head", "shown"),
    [
        (packets(22)[:4096], "video/mp2t"),
        (packets(22, before=4)[:4096], "video/mp2t"),
        (packets(22, behind=16)[:4096], "video/mp2t"),
        (packets(5), "video/mp2t"),
        (packets(4), UNKNOWN_TYPE),
        (packets(21) + bytes(148), UNKNOWN_TYPE),
        (b"GIF89a" + bytes(4090), "image/gif"),
        (b"export const GREETING = 'Good morning';\n" * 100, UNKNOWN_TYPE),
        (b"", UNKNOWN_TYPE),
    ],
)
def test_the_first_bytes_show_a_type(head: bytes, shown: str) -> None:
    """MPEG-TS has no signature but its packets, of which each begins with the same byte."""
    assert type_shown(head) == shown
