"""Action items, found by the rules of a language.

A conversation makes an action item in two ways: somebody says "I will", or one asks "can you" and another says yes. So
a request stays open for a few sentences; a reply settles who, and often until when, or takes it back.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from shared.transcript.analysis import ActionItem
from worker.pipelines.analysis.languages.language import Language, Patterns
from worker.pipelines.analysis.sentences import LONG, Sentence, term, wording, words

#: Sentences after a request within which a reply to it is looked for.
REPLY_SENTENCES = 4
#: An earlier finding that shares more than this part of a later one's terms is the same thing.
SHARED_TERMS = 0.5
#: Longest sentence that may add a time to what its speaker has just taken on, in words.
AFTERTHOUGHT_WORDS = 9

Kind = Literal["commitment", "request", "appeal", "duty"]


@dataclass(slots=True)
class _Found:
    """What a rule found in a sentence."""

    kind: Kind
    what: str
    name: str | None


@dataclass(slots=True)
class _Item:
    found: _Found
    said: int  #: number of the last sentence that belongs to it
    asked_by: str | None
    who: str | None
    until: str | None
    segments: set[int]
    answered: bool = False  #: somebody has taken a request on
    dropped: bool = False

    def may_be(self, other: "_Item") -> bool:
        """Tell whether neither who nor until when sets two items of the same words apart."""
        return all(
            None in (mine, theirs) or mine == theirs
            for mine, theirs in ((self.who, other.who), (self.until, other.until))
        )


def action_items(said: list[Sentence], language: Language) -> tuple[ActionItem, ...]:
    """Find what people are to do, in the order in which it was said; the same in the same words counts once."""
    talk = _Talk(language, _names(said, language))
    for number, sentence in enumerate(said):
        if len(sentence.text) <= LONG:
            talk.hear(number, sentence)
    return tuple(
        ActionItem(what=item.found.what, who=item.who, until=item.until, segments=tuple(sorted(item.segments)))
        for item in _once(item for item in talk.items if not item.dropped)
    )


def _once(items: Iterable[_Item]) -> list[_Item]:
    """Leave out what repeats an earlier item, which learns from it who and until when if that was still open."""
    kept: list[_Item] = []
    alike: dict[tuple[str, ...], list[_Item]] = {}
    for item in items:
        others = alike.setdefault(wording(item.found.what), [])
        earlier = next((one for one in others if one.may_be(item)), None)
        if earlier is None:
            kept.append(item)
            others.append(item)
        elif (earlier.who is None and item.who) or (earlier.until is None and item.until):
            earlier.who, earlier.until = earlier.who or item.who, earlier.until or item.until
            earlier.segments |= item.segments
    return kept


@dataclass(slots=True)
class _Talk:
    language: Language
    names: frozenset[str]  #: of people who are spoken to
    items: list[_Item] = field(default_factory=list)

    def hear(self, number: int, sentence: Sentence) -> None:
        """Take in the next sentence."""
        found = self._find(sentence.text)
        if self._replies(number, sentence, found) or self._adds(number, sentence, found):
            return
        if found is None or self.language.referring.search(found.what):
            return
        asks = found.kind != "commitment"
        self.items.append(
            _Item(
                found,
                number,
                asked_by=sentence.speaker if asks else None,
                who=found.name if asks else sentence.speaker,
                until=until(sentence.text, self.language),
                segments=set(sentence.segments),
            )
        )

    def _replies(self, number: int, sentence: Sentence, found: _Found | None) -> bool:
        """Settle the request that this sentence answers, if it answers one."""
        request = next((item for item in reversed(self.items) if self._is_open(item, number, sentence)), None)
        if request is None:
            return False
        direct = request.found.kind == "request"
        if direct and self.language.declining.search(sentence.text):
            request.dropped = True
            return True
        accepted = direct and self.language.accepting.search(sentence.text) is not None
        if found is not None and found.kind == "commitment":
            if not (accepted or request.found.kind == "appeal" or self._same(request.found, found)):
                return False
        elif not accepted:
            return False
        request.who = sentence.speaker or request.who
        request.answered = True
        self._settle(request, number, sentence)
        return True

    @staticmethod
    def _is_open(item: _Item, number: int, sentence: Sentence) -> bool:
        if item.dropped or item.found.kind == "commitment" or number - item.said > REPLY_SENTENCES:
            return False
        return not item.answered and (sentence.speaker is None or sentence.speaker != item.asked_by)

    def _adds(self, number: int, sentence: Sentence, found: _Found | None) -> bool:
        """Take an afterthought on what its speaker has just taken on: a time, or the same once more."""
        last = next((item for item in reversed(self.items) if not item.dropped), None)
        if last is None or last.who is None or last.who != sentence.speaker or number - last.said > 1:
            return False
        if found is not None:
            same = found.kind == "commitment" and self._same(last.found, found)
        else:
            same = (
                last.until is None
                and sentence.length <= AFTERTHOUGHT_WORDS
                and bool(until(sentence.text, self.language))
            )
        if same:
            self._settle(last, number, sentence)
        return same

    def _settle(self, item: _Item, number: int, sentence: Sentence) -> None:
        item.said = number
        item.until = item.until or until(sentence.text, self.language)
        item.segments |= set(sentence.segments)

    def _same(self, earlier: _Found, later: _Found) -> bool:
        """Tell whether two findings are about one thing."""
        if self.language.referring.search(later.what):
            return True
        known, new = self._terms(earlier.what), self._terms(later.what)
        return len(known & new) > SHARED_TERMS * len(new)

    def _terms(self, what: str) -> set[str]:
        return {stem for word in words(what) if (stem := term(word, self.language))}

    def _find(self, text: str) -> _Found | None:
        language = self.language
        kinds: tuple[tuple[Kind, Patterns], ...] = (
            ("commitment", language.commitments),
            ("request", language.requests),
            ("duty", language.assignments),
            ("appeal", language.appeals),
            ("duty", language.duties),
        )
        for kind, patterns in kinds:
            for match in (match for pattern in patterns for match in pattern.finditer(text)):
                name = match.groupdict().get("name")
                name = name if name in self.names else None
                before, near = text[: match.start()], match["what"].partition(",")[0]
                if patterns is language.assignments and name is None:
                    continue
                if language.unreal.search(before) or (kind != "request" and language.habit.search(f"{before} {near}")):
                    continue
                what = self._tidied(match["what"])
                if language.idle.search(what) is None and (len(words(what)) > 1 or language.referring.search(what)):
                    return _Found(kind, what, name)
        return None

    def _tidied(self, what: str) -> str:
        """Take the time, reasons and politeness out of what is to be done."""
        clause = self.language.clause.search(what)
        if clause is not None and len(words(what[: clause.start()])) > 1:
            what = what[: clause.start()]
        for pattern in (self.language.until, self.language.filler):
            what = pattern.sub("", what)
        return re.sub(r"\s+([,.;])", r"\1", " ".join(what.split())).strip(" ,.;:!?…–-")  # noqa: RUF001 - a dash as it is said


def until(text: str, language: Language) -> str | None:
    """Return the time by which something is to be done, as it is said."""
    match = language.until.search(text)
    return " ".join(match[0].split()) if match else None


def _names(said: Iterable[Sentence], language: Language) -> frozenset[str]:
    """Find the people who are spoken to: "Anna, can you", "Thank you, Anna."."""
    found: set[str] = set()
    for sentence in said:
        for pattern in (
            r"^([^\W\d_]+),\s",
            r",\s+([^\W\d_]+)[.!?]$",
            r"[.,]\s*([A-ZÄÖÜ]\w+),\s+(?:can|could|please|kannst|könn)",
        ):
            if (match := re.search(pattern, sentence.text)) and match[1][:1].isupper():
                found.add(match[1])
    return frozenset(name for name in found if name.lower() not in language.stop_words)
