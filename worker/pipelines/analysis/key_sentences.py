"""The sentences that say most of a conversation, as quotes.

Maximal marginal relevance (J. Carbonell and J. Goldstein, SIGIR 1998): one after the other, the sentence that is most
like the whole and its topic, and least like those already chosen. Likeness is the cosine of TF-IDF vectors.
"""

import math
from collections import Counter
from collections.abc import Iterable

from shared.transcript.analysis import Statement
from worker.pipelines.analysis.decisions import decides
from worker.pipelines.analysis.languages.language import Language
from worker.pipelines.analysis.sentences import Sentence, wording

#: Quotes of a summary.
FEWEST, MOST = 3, 12
#: How much relevance counts against being unlike what is chosen already.
RELEVANCE = 0.7
#: A sentence that is so much like a quote says the same, and is not quoted, too.
ALIKE = 0.9
#: How much being like its topic counts against being like the whole.
TOPIC = 0.6
#: What each quote from a topic costs the next one from it.
SAME_TOPIC = 0.1
#: Shorter sentences say too little alone, longer ones have lost their points; between the second and the third number
#: of words a sentence is at its best.
SHORTEST, GOOD_FROM, GOOD_TO, LONGEST = 5, 9, 28, 70
#: A sentence of fewer different terms says less.
FULL_TERMS = 6
#: Factors for sentences that are hard to understand alone, questions, those with a word that signals weight, decisions.
DANGLING, QUESTION, CUE, DECISION = 0.5, 0.4, 1.15, 1.3

Vector = dict[str, float]


def key_sentences(parts: list[list[Sentence]], language: Language | None) -> tuple[Statement, ...]:
    """Choose quotes from topics, each a list of sentences; return them in the order in which they were said."""
    said = [sentence for part in parts for sentence in part]
    topic_of = [number for number, part in enumerate(parts) for _ in part]
    vectors = _vectors(said)
    whole = _sum(vectors)
    topics = [_sum(vectors[i] for i in range(len(said)) if topic_of[i] == number) for number in range(len(parts))]
    scores = [
        _worth(sentence, language)
        * (TOPIC * _cosine(vectors[i], topics[topic_of[i]]) + (1 - TOPIC) * _cosine(vectors[i], whole))
        for i, sentence in enumerate(said)
    ]
    likeness = [0.0] * len(said)  # to the most similar quote so far
    quoted: Counter[int] = Counter()  # quotes by topic
    once = _once(said)
    left = {i for i in once if scores[i] > 0}
    wanted = _count(said, len(once), len(parts))
    chosen: list[int] = []
    while left and len(chosen) < wanted:
        # Rounded, and the earlier of equals: the same choice on every machine.
        marginal = {
            i: round(RELEVANCE * scores[i] - (1 - RELEVANCE) * likeness[i] - SAME_TOPIC * quoted[topic_of[i]], 9)
            for i in left
        }
        best = min(left, key=lambda i, marginal=marginal: (-marginal[i], i))  # type: ignore[misc]
        left.discard(best)
        chosen.append(best)
        quoted[topic_of[best]] += 1
        for i in left:
            likeness[i] = max(likeness[i], _cosine(vectors[i], vectors[best]))
        left = {i for i in left if likeness[i] < ALIKE}
    return tuple(Statement(text=said[i].text, quote=True, segments=said[i].segments) for i in sorted(chosen))


def _once(said: list[Sentence]) -> list[int]:
    """Number the sentences without those that repeat the words of an earlier one."""
    first: dict[tuple[str, ...], int] = {}
    for number, sentence in enumerate(said):
        first.setdefault(wording(sentence.text), number)
    return list(first.values())


def _count(said: list[Sentence], different: int, topics: int) -> int:
    """Tell how many quotes do justice to a recording: 4 to five minutes, 12 to an hour, one a topic."""
    minutes = (said[-1].end - said[0].start) / 60 if said else 0.0
    wanted = max(FEWEST, topics, round(1.8 * math.sqrt(minutes)))
    return min(MOST, wanted, max(1, -(-different // 3)))


def _worth(sentence: Sentence, language: Language | None) -> float:
    length = sentence.length
    if length > LONGEST or not sentence.terms:
        return 0.0
    if length < SHORTEST:
        worth = 0.1 * length / SHORTEST
    elif length < GOOD_FROM:
        worth = length / GOOD_FROM
    else:
        worth = 1.0 if length <= GOOD_TO else GOOD_TO / length
    worth *= min(1.0, (1 + len(set(sentence.terms))) / (1 + FULL_TERMS))
    if sentence.text.endswith(("?", "？")):  # noqa: RUF001 - the question mark of Chinese and Japanese
        worth *= QUESTION
    if language is not None:
        worth *= DANGLING if language.dangling.search(sentence.beginning) else 1.0
        worth *= CUE if language.cues.search(sentence.beginning) else 1.0
        worth *= DECISION if decides(sentence.text, language) else 1.0
    return worth


def _vectors(said: list[Sentence]) -> list[Vector]:
    """Weigh terms by how often they stand in a sentence and in how few sentences; vectors have length 1."""
    spread = Counter(stem for sentence in said for stem in set(sentence.terms))
    found = []
    for sentence in said:
        often = Counter(sentence.terms)
        weights = {
            stem: (1 + math.log(often[stem])) * math.log((1 + len(said)) / spread[stem]) for stem in sorted(often)
        }
        norm = math.sqrt(math.fsum(weight * weight for weight in weights.values()))
        found.append({stem: weight / norm for stem, weight in weights.items()} if norm else {})
    return found


def _sum(vectors: Iterable[Vector]) -> Vector:
    total: Vector = {}
    for vector in vectors:
        for stem, weight in vector.items():
            total[stem] = total.get(stem, 0.0) + weight
    norm = math.sqrt(math.fsum(weight * weight for weight in total.values()))
    return {stem: weight / norm for stem, weight in total.items()} if norm else {}


def _cosine(one: Vector, other: Vector) -> float:
    if len(one) > len(other):
        one, other = other, one
    return math.fsum(weight * other[stem] for stem, weight in one.items() if stem in other)
