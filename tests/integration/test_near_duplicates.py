"""The query of the image pipeline's page finds copies of a picture among the results."""

import re
import uuid
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine, text

from shared import lifecycle
from shared.jobs import Completion, NewJob

PAGE = Path(__file__).parents[2] / "docs" / "pipelines" / "image.md"
PHOTO = NewJob("uploads", "a/photo.jpg", 1, "image", 1000, "image/jpeg")


def rendered(engine: Engine, name: str, result: dict[str, object]) -> uuid.UUID:
    """Let a worker take a picture and commit this result."""
    with engine.begin() as connection:
        [recorded] = lifecycle.record(connection, [replace(PHOTO, object=name)])
        [claim] = lifecycle.claim(connection, [recorded.id], worker="vm-1/boot", lease_seconds=40)
        assert lifecycle.commit(connection, [Completion(claim.id, claim.attempt, result)])
    return recorded.id


def hashed(dhash: int, phash: int) -> dict[str, object]:
    return {"hashes": {"dhash": f"{dhash:016x}", "phash": f"{phash:016x}"}}


def test_the_documented_query_finds_near_duplicates(engine: Engine) -> None:
    """One near hash is enough; what is far in both, is the picture itself, or has no hashes, is not found."""
    found = re.search(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    one = 0xF0F0_1234_5678_9ABC
    picture = rendered(engine, "picture.jpg", hashed(one, one))
    rendered(engine, "same.jpg", hashed(one, one))
    rendered(engine, "near-by-dhash.jpg", hashed(one ^ 0b11 << 62, ~one & (2**64 - 1)))
    rendered(engine, "near-by-phash.jpg", hashed(~one & (2**64 - 1), one ^ 0x3FF))
    rendered(engine, "far.jpg", hashed(one ^ 0x7FF, one ^ 0xFFF0))
    rendered(engine, "song.mp3", {"seconds": 3})
    with engine.connect() as connection:
        rows = connection.execute(text(found[1]), {"job": picture}).all()
    assert [(row.object, row.bits) for row in rows] == [
        ("same.jpg", 0),
        ("near-by-dhash.jpg", 2),
        ("near-by-phash.jpg", 10),
    ]
