"""What a hosted model may answer, and what of it is believed.

A schema that a service enforces does not keep a model from inventing: segments that were never shown, people whom
nobody named. Whatever cannot be found in the transcript is dropped; an answer of which little remains is refused.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

#: An answer is refused when fewer of its parts than this share stand on segments that exist.
BELIEVED_SHARE = 0.5
#: Longest reason for a refusal, in characters: the model and readers are told it, and it may hold words of the answer.
REASON = 500
#: Words of up to so many characters ("by", "the") do not tell whether a name or a time was said.
SHORT_WORD = 3

_FENCED = re.compile(r"\s*```(?:json)?\s*\n(.*)\n\s*```\s*", re.DOTALL)


class RefusedError(ValueError):
    """The answer is not what was asked for; the text tells the model why."""


def _plain(value: Any) -> Any:
    """Give text on one line, without control characters."""
    return " ".join("".join(c if c.isprintable() else " " for c in value).split()) if isinstance(value, str) else value


def _text(longest: int) -> Any:
    return Annotated[str, BeforeValidator(_plain), Field(min_length=1, max_length=longest)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Said(_Part):
    """One statement and the numbers of the lines that it rests on."""

    text: _text(1000)  # type: ignore[valid-type]
    segments: list[int]


class Stretch(_Part):
    """One topic, from one line to another."""

    title: _text(150)  # type: ignore[valid-type]
    first_segment: int
    last_segment: int


class Task(_Part):
    """One action item."""

    what: _text(500)  # type: ignore[valid-type]
    who: _text(100) | None  # type: ignore[valid-type]
    until: _text(100) | None  # type: ignore[valid-type]
    segments: list[int]


class Answer(_Part):
    """The whole of an answer."""

    summary: Annotated[list[Said], Field(max_length=40)]
    topics: Annotated[list[Stretch], Field(max_length=80)]
    decisions: Annotated[list[Said], Field(max_length=100)]
    action_items: Annotated[list[Task], Field(max_length=100)]

    def quoted(self) -> set[int]:
        """Return the lines that its statements rest on."""
        statements = [item.segments for item in (*self.summary, *self.decisions)]
        return {
            index for segments in (*statements, *(task.segments for task in self.action_items)) for index in segments
        }


_NUMBERS = {"type": "array", "items": {"type": "integer"}, "description": "Numbers of the lines that say it"}
_MAYBE = [{"type": "string"}, {"type": "null"}]


def _object(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item}


_SAID = _object(text={"type": "string"}, segments=_NUMBERS)
#: ``Answer`` in the part of JSON Schema that all services take: no references, no lengths, no ranges.
SCHEMA: dict[str, Any] = _object(
    summary=_list(_SAID),
    topics=_list(
        _object(title={"type": "string"}, first_segment={"type": "integer"}, last_segment={"type": "integer"})
    ),
    decisions=_list(_SAID),
    action_items=_list(
        _object(
            what={"type": "string"},
            who={"anyOf": _MAYBE, "description": "Label of a speaker or a name as it is said, or null"},
            until={"anyOf": _MAYBE, "description": "Time as it is said, or null"},
            segments=_NUMBERS,
        )
    ),
)


def read(text: str) -> Answer:
    """Read an answer.

    Raises:
        RefusedError: it is no JSON, or does not fit.
    """
    fenced = _FENCED.fullmatch(text)  # servers that enforce no schema like to wrap it
    try:
        return Answer.model_validate_json(fenced[1] if fenced else text)
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, p['loc'])) or 'the answer'}: {p['msg']}" for p in error.errors()[:5]]
        raise RefusedError(_plain("; ".join(problems))[:REASON]) from None


class Evidence:
    """What an answer may rest on: ``quotable`` lines for statements, ``shown`` ones for topics, ``said`` words."""

    def __init__(self, quotable: Iterable[int], shown: Iterable[int], labels: Iterable[str], said: str) -> None:
        self.quotable = frozenset(quotable)
        self.shown = frozenset(shown)
        self.labels = frozenset(labels)
        self.words = frozenset(_words(said))

    def believed(self, answer: Answer) -> Answer:
        """Return what of an answer can be checked.

        Raises:
            RefusedError: too little of it can.
        """
        summary = [kept for item in answer.summary if (kept := self._said(item))]
        decisions = [kept for item in answer.decisions if (kept := self._said(item))]
        tasks = [task for item in answer.action_items if (task := self._task(item))]
        topics = [topic for item in answer.topics if (topic := self._stretch(item))]
        given = len(answer.summary) + len(answer.decisions) + len(answer.action_items) + len(answer.topics)
        believed = len(summary) + len(decisions) + len(tasks) + len(topics)
        if believed < BELIEVED_SHARE * given:
            raise RefusedError("most parts name lines that do not exist; use only the numbers in square brackets")
        if not summary:
            raise RefusedError("the summary is empty, or names only lines that do not exist")
        return Answer(summary=summary, topics=_in_turn(topics), decisions=decisions, action_items=tasks)

    def _said(self, item: Said) -> Said | None:
        segments = self._segments(item.segments)
        return item.model_copy(update={"segments": segments}) if segments else None

    def _task(self, item: Task) -> Task | None:
        segments = self._segments(item.segments)
        if not segments:
            return None
        who = item.who if item.who in self.labels or self._heard(item.who) else None
        until = item.until if self._heard(item.until) else None
        return item.model_copy(update={"segments": segments, "who": who, "until": until})

    def _stretch(self, item: Stretch) -> Stretch | None:
        return item if {item.first_segment, item.last_segment} <= self.shown else None

    def _segments(self, given: list[int]) -> list[int]:
        return sorted(self.quotable.intersection(given))

    def _heard(self, name: str | None) -> bool:
        """Tell whether anybody said a name or a time: one of its words, short ones aside that are in every text."""
        known = _words(name or "")
        telling = [word for word in known if len(word) > SHORT_WORD or word.isdigit()] or known
        return not self.words.isdisjoint(telling)


def _in_turn(topics: list[Stretch]) -> list[Stretch]:
    """Put topics in order; where two overlap, the later one begins after the earlier one."""
    found: list[Stretch] = []
    for topic in sorted(topics, key=lambda topic: (topic.first_segment, topic.last_segment)):
        first = max(topic.first_segment, found[-1].last_segment + 1) if found else topic.first_segment
        if first <= topic.last_segment:
            found.append(topic.model_copy(update={"first_segment": first}))
    return found


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())
