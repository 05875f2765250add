"""What was heard in the clips, put together: words on the recording's time line, then segments of one speaker each."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.transcript.schema import Segment, Word
from spotmill import Passage
from worker.pipelines.speakers.turns import Turn, overlapped
from worker.pipelines.speech.clips import Clip
from worker.pipelines.speech.whisper import Heard

#: A pause that ends a segment.
PAUSE_SECONDS = 0.8
#: A segment that has lasted so long ends with its sentence.
SENTENCE_SECONDS = 5.0
#: None lasts longer: without stops, it ends at its longest pause.
LONGEST_SECONDS = 20.0

_STOPS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001 - the full-width ones are those of Chinese and Japanese


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word and who says it."""

    word: Word
    speaker: str | None = None


def words(clips: Sequence[Clip], heard: Iterable[Heard]) -> list[Word]:
    """Place the words of each clip in the recording, in order, none of them before the one before."""
    placed: list[Word] = []
    latest = 0.0
    for clip, said in zip(clips, heard, strict=True):
        for word in said.words:
            span = clip.place(word.start, word.end)
            start = max(latest, round(span.start, 2))
            end = max(start, round(span.end, 2))
            placed.append(Word(start=start, end=end, word=word.word, probability=word.probability))
            latest = start
    return placed


def segments(spoken: Sequence[Spoken], turns: Sequence[Turn] = ()) -> list[Segment]:
    """Cut what was said into segments: at a change of speaker, at pauses, and else at the ends of sentences.

    ``turns`` tell where people speak at once.
    """
    made: list[Segment] = []
    for run in _runs(spoken):
        for part in _shortened(run):
            text = "".join(each.word.word for each in part).strip()
            if text:
                start, end = part[0].word.start, max(each.word.end for each in part)
                made.append(
                    Segment(
                        start=start,
                        end=end,
                        speaker=part[0].speaker,
                        text=text,
                        overlap=overlapped(start, end, turns),
                        words=tuple(each.word for each in part),
                    )
                )
    return made


def passages(said: Iterable[Segment]) -> list[Passage]:
    """Give what search should find: one passage for each segment."""
    return [Passage(segment.start, segment.end, segment.text, segment.speaker) for segment in said]


def _runs(spoken: Sequence[Spoken]) -> Iterator[list[Spoken]]:
    run: list[Spoken] = []
    for each in spoken:
        if run and _ends(run, each):
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _ends(run: Sequence[Spoken], following: Spoken) -> bool:
    last = run[-1]
    return (
        last.speaker != following.speaker
        or following.word.start - last.word.end >= PAUSE_SECONDS
        or (last.word.word.endswith(_STOPS) and last.word.end - run[0].word.start >= SENTENCE_SECONDS)
    )


def _shortened(run: list[Spoken]) -> Iterator[list[Spoken]]:
    """Cut what is too long, as often as it takes, at the longest pause that leaves no scrap at either end."""
    if len(run) < 4 or run[-1].word.end - run[0].word.start <= LONGEST_SECONDS:
        yield run
        return
    pauses = [after.word.start - before.word.end for before, after in pairwise(run)]
    inner = range(len(run) // 4, len(run) - len(run) // 4 - 1)
    cut = max(inner, key=lambda place: (pauses[place], -abs(2 * place - len(run)))) + 1
    yield from _shortened(run[:cut])
    yield from _shortened(run[cut:])
