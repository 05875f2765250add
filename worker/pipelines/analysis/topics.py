"""Where a conversation turns to another topic, and what to call each.

Boundaries by lexical cohesion: of all ways to cut the text, the one under which its words are most probable when each
part has its own word frequencies, as in M. Utiyama and H. Isahara, "A statistical model for domain-independent text
segmentation" (ACL 2001), found by dynamic programming. Phrases such as "next point" speak for a boundary.
"""

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby, pairwise

from shared.transcript.analysis import Topic
from worker.pipelines.analysis.languages.language import Language
from worker.pipelines.analysis.sentences import Sentence, term, words

#: A topic has at least so many seconds, unless the recording is shorter.
LEAST_SECONDS = 15.0
#: What a boundary costs, in logarithms of the number of words: 1 in the paper, whose texts are written and change fast.
BOUNDARY_COST = 2.0
#: What "next point" takes off that, in nats.
OPENING_BONUS = 4.0
#: "Next point" counts within so many sentences of a segment.
OPENING_SENTENCES = 3
#: Sentences are joined to units of so many words, and of more where the text has more than so many units by that.
UNIT_WORDS, MOST_UNITS = 12, 1000
#: Most words of a topic, over half an hour of talk: what is longer is cut, so that hours stay cheap.
TOPIC_WORDS = 5000
#: Most terms in a title.
TITLE_TERMS = 3


@dataclass(slots=True)
class _Unit:
    opens: bool
    sentences: list[Sentence] = field(default_factory=list)
    terms: list[str] = field(default_factory=list)
    length: int = 0  #: in words


def topics(parts: list[list[Sentence]], language: Language | None) -> tuple[Topic, ...]:
    """Name topics, each a list of sentences; each covers all segments from its first to its last."""
    everywhere = Counter(stem for part in parts for sentence in part for stem in sentence.terms)
    found: list[Topic] = []
    taken = -1
    for number, part in enumerate(parts, 1):
        first, last = max(part[0].segments[0], taken + 1), part[-1].segments[-1]
        if first > last:
            continue
        taken = last
        found.append(
            Topic(
                title=_title(part, everywhere, language) or str(number),
                start=next((sentence.start for sentence in part if sentence.segments[0] >= first), part[0].start),
                end=part[-1].end,
                segments=tuple(range(first, last + 1)),
            )
        )
    return tuple(found)


def boundaries(said: list[Sentence], language: Language | None) -> list[list[Sentence]]:
    """Cut sentences into topics, by dynamic programming over where the last topic begins."""
    units = _units(said, language)
    vocabulary = len({stem for unit in units for stem in unit.terms})
    total = sum(len(unit.terms) for unit in units)
    price = BOUNDARY_COST * math.log(max(2, total))
    best = [0.0] + [math.inf] * len(units)
    begins = [0] * (len(units) + 1)
    for first in range(len(units)):
        if math.isinf(best[first]):
            continue
        known: Counter[str] = Counter()
        count, repeated = 0, 0.0
        before = best[first] + price - (OPENING_BONUS if first and units[first].opens else 0.0)
        size = 0
        for last in range(first, len(units)):
            size += units[last].length
            if size > TOPIC_WORDS and last > first:
                break
            for stem in units[last].terms:
                often = known[stem]
                repeated += (often + 1) * math.log(often + 2) - often * math.log(often + 1)
                known[stem] = often + 1
                count += 1
            cost = before + count * math.log(max(1, count + vocabulary)) - repeated
            # The small difference settles equal costs alike on every machine.
            if cost < best[last + 1] - 1e-9 and _is_long_enough(units, first, last):
                best[last + 1], begins[last + 1] = cost, first
    cuts = [len(units)]
    while cuts[-1] > 0:
        cuts.append(begins[cuts[-1]])
    cuts.reverse()
    return [[sentence for unit in units[first:last] for sentence in unit.sentences] for first, last in pairwise(cuts)]


def _is_long_enough(units: list[_Unit], first: int, last: int) -> bool:
    if first == 0 and last == len(units) - 1:
        return True
    return units[last].sentences[-1].end - units[first].sentences[0].start >= LEAST_SECONDS


def _units(said: list[Sentence], language: Language | None) -> list[_Unit]:
    """Join short sentences, so that hours stay cheap; one begins where a segment does, and at "next point"."""
    units: list[_Unit] = []
    enough = max(UNIT_WORDS, sum(sentence.length for sentence in said) // MOST_UNITS)
    for _, group in groupby(said, key=lambda sentence: sentence.segments[0]):
        segment = list(group)
        opens = language is not None and any(
            language.openings.search(sentence.beginning) for sentence in segment[:OPENING_SENTENCES]
        )
        if not units or units[-1].length >= enough or opens:
            units.append(_Unit(opens))
        units[-1].sentences.extend(segment)
        units[-1].terms.extend(stem for sentence in segment for stem in sentence.terms)
        units[-1].length += sum(sentence.length for sentence in segment)
    return units


def _title(part: list[Sentence], everywhere: Counter[str], language: Language | None) -> str:
    """Name a topic by the terms that are more frequent in it than elsewhere, in the order in which they come up."""
    here = Counter(stem for sentence in part for stem in sentence.terms)
    size, whole = sum(here.values()), sum(everywhere.values())
    shown = _surfaces(part, language)

    def weight(stem: str) -> float:
        noun = language is not None and language.code == "de" and shown[stem][:1].isupper()
        return here[stem] * math.log(1 + here[stem] * whole / (size * everywhere[stem])) * (1.5 if noun else 1.0)

    ranked = sorted(here, key=lambda stem: (-round(weight(stem), 6), stem))
    often = [stem for stem in ranked if here[stem] > 1] or ranked
    chosen = set(often[:TITLE_TERMS])
    phrases = _phrases(part, chosen, shown)
    title = ", ".join(phrases)
    return title[:1].upper() + title[1:]


def _phrases(part: list[Sentence], chosen: set[str], shown: dict[str, str]) -> list[str]:
    """Join chosen terms that stand next to each other more than once, as in "payment form"."""
    pairs: Counter[tuple[str, str]] = Counter()
    order: dict[str, None] = {}
    for sentence in part:
        order.update(dict.fromkeys(stem for stem in sentence.terms if stem in chosen))
        pairs.update((a, b) for a, b in pairwise(sentence.terms) if {a, b} <= chosen)
    joined = {a: b for (a, b), often in sorted(pairs.items(), key=lambda item: item[1]) if often > 1 and a != b}
    seconds = set(joined.values())
    phrases = []
    for stem in order:
        if stem in seconds and stem not in joined:
            continue
        phrases.append(f"{shown[stem]} {shown[joined[stem]]}" if stem in joined else shown[stem])
    return phrases or [shown[stem] for stem in order]


def _surfaces(part: list[Sentence], language: Language | None) -> dict[str, str]:
    """Show each term as it is said most often."""
    forms: dict[str, Counter[str]] = {}
    for sentence in part:
        for place, word in enumerate(words(sentence.text)):
            if stem := term(word, language):
                # The first word of a sentence is written with a capital for no reason of its own.
                forms.setdefault(stem, Counter())[word] += 2 if place else 1
    return {stem: min(counts, key=lambda word: (-counts[word], word)) for stem, counts in forms.items()}
