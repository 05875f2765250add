"""Decisions, found by the rules of a language: quotes of the sentences in which people say that they decide."""

from shared.transcript.analysis import Statement
from worker.pipelines.analysis.languages.language import Language
from worker.pipelines.analysis.sentences import LONG, Sentence, wording

#: A sentence of fewer words does not say what was decided; its speaker's next one does.
BARE_WORDS = 5
#: A question is a decision only if no more than so many words ask for consent ("…, yes?").
TAG_WORDS = 2


def decisions(said: list[Sentence], language: Language) -> tuple[Statement, ...]:
    """Find what people decide, in the order in which it was said; what is said again in the same words counts once."""
    found: list[Statement] = []
    known: set[tuple[str, ...]] = set()
    for sentence, following in zip(said, [*said[1:], None], strict=True):
        if not decides(sentence.text, language):
            continue
        text, segments = sentence.text, sentence.segments
        if sentence.length < BARE_WORDS and following is not None and following.speaker == sentence.speaker:
            text, segments = f"{text} {following.text}", tuple(sorted({*segments, *following.segments}))
        spoken = wording(text)
        if spoken in known:
            continue
        if len(spoken) >= BARE_WORDS:  # "We agreed." may be about something else each time
            known.add(spoken)
        found.append(Statement(text=text, quote=True, segments=segments))
    return tuple(found)


def decides(text: str, language: Language) -> bool:
    """Tell whether a sentence says that something is decided."""
    if len(text) > LONG:
        return False
    if text.endswith("?") and len(text.rpartition(",")[2].split()) > TAG_WORDS:
        return False
    return any(
        language.undecided.search(text[: match.start()]) is None
        for pattern in language.decisions
        for match in pattern.finditer(text)
    )
