"""What a pipeline wants search to find, read from a file of the child's, which may be hostile."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from shared.jobs import NewPassage
from shared.storable import plain
from worker.scratch import ForeignFileError, Scratch

_Seconds = Annotated[float, Field(ge=0, lt=1e8, allow_inf_nan=False)]


class _Passage(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    start: _Seconds
    end: _Seconds
    text: Annotated[str, Field(max_length=20_000)]
    speaker: Annotated[str, Field(max_length=40)] | None = None


_passages = TypeAdapter(list[_Passage])


def read_passages(scratch: Scratch, file: str, language: str, most_bytes: int) -> list[NewPassage]:
    """Read a JSON list of passages.

    Raises:
        ForeignFileError: the file holds something else, or more than ``most_bytes``.
    """
    with scratch.open(file) as content:
        raw = content.read(most_bytes + 1)
    if len(raw) > most_bytes:
        raise ForeignFileError(f"text for search is limited to {most_bytes} bytes")
    try:
        read = _passages.validate_json(raw)
    except ValidationError as error:
        raise ForeignFileError(f"{file!r} holds no passages: {error.errors()[0]['msg']}") from None
    return [
        NewPassage(p.start, max(p.start, p.end), plain(p.text), p.speaker and plain(p.speaker), plain(language)[:20])
        for p in read
    ]
