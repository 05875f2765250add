"""How a conversation went: figures for each speaker. docs/pipelines/speakers.md defines them for readers."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.transcript.schema import Segment, SpeakerStatistics, Statistics
from worker.pipelines.speakers.turns import Turn, label

#: A speaker who pauses for longer, with nobody else speaking, begins a new contribution.
PAUSE_SECONDS = 5.0

#: A contribution that begins so shortly before the other's end interrupts nobody: turns are no more exact than that.
LEAST_INTERRUPTION_SECONDS = 0.2

#: Marks that end questions. In Spanish one more stands before them; Armenian writes its mark within the last word.
_QUESTION = re.compile(r"[?？؟⁇⁈⁉‽⸮፧՞꘏]+")  # noqa: RUF001 - one of them is as wide as a Chinese character
_GREEK_QUESTION = re.compile(r"[;\u037e]+")


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one speaker says until somebody else speaks, or until a long silence; seconds."""

    start: float
    end: float
    speaker: int


def statistics(
    segments: Iterable[Segment], turns: Sequence[Turn], duration: float, language: str | None = None
) -> Statistics:
    """Reckon the figures of a conversation.

    Args:
        segments: of the transcript, with their speakers
        turns: as ``diarise`` gives them
        duration: of the recording, seconds
        language: as in the transcript; Greek asks with a semicolon
    """
    spoken = {speaker: _union((turn.start, turn.end) for turn in own) for speaker, own in _by_speaker(turns).items()}
    talk = {speaker: _seconds(spans) for speaker, spans in spoken.items()}
    speech = _seconds(_union(span for spans in spoken.values() for span in spans))
    contributions = _contributions(spoken)
    interruptions = _interruptions(contributions)
    words, questions = _said(segments, language)
    return Statistics(
        speech_seconds=_rounded(speech),
        silence_seconds=_rounded(max(0.0, duration - speech)),
        overlap_seconds=_rounded(_overlap(spoken)),
        speakers=tuple(
            SpeakerStatistics(
                speaker=label(speaker),
                talk_seconds=_rounded(talk[speaker]),
                share=round(talk[speaker] / sum(talk.values()), 4),
                turns=sum(one.speaker == speaker for one in contributions),
                words=words[label(speaker)],
                words_per_minute=round(60 * words[label(speaker)] / talk[speaker], 1),
                longest_monologue_seconds=_rounded(
                    max(one.end - one.start for one in contributions if one.speaker == speaker)
                ),
                interruptions=interruptions[speaker],
                questions=questions[label(speaker)],
            )
            for speaker in sorted(talk)
        ),
    )


def _interruptions(contributions: Sequence[Contribution]) -> Counter[int]:
    """Count, for each speaker, contributions that began while another was speaking, who then stopped first."""
    counts: Counter[int] = Counter()
    speaking: list[Contribution] = []
    for one in sorted(contributions, key=lambda one: one.start):
        speaking = [other for other in speaking if other.end - one.start >= LEAST_INTERRUPTION_SECONDS]
        counts[one.speaker] += any(other.start < one.start and other.end < one.end for other in speaking)
        speaking.append(one)
    return counts


def _contributions(spoken: Mapping[int, Sequence[tuple[float, float]]]) -> list[Contribution]:
    """Join what a speaker says across pauses in which nobody else speaks."""
    found: list[Contribution] = []
    newest: dict[int, int] = {}
    heard_until: dict[int, float] = {}
    for start, end, speaker in sorted((*span, speaker) for speaker, spans in spoken.items() for span in spans):
        others = max((until for other, until in heard_until.items() if other != speaker), default=0.0)
        at = newest.get(speaker)
        if at is not None and found[at].end >= max(others, start - PAUSE_SECONDS):
            found[at] = Contribution(found[at].start, end, speaker)
        else:
            newest[speaker] = len(found)
            found.append(Contribution(start, end, speaker))
        heard_until[speaker] = end
    return found


def _said(segments: Iterable[Segment], language: str | None) -> tuple[Counter[str], Counter[str]]:
    """Count the words and the questions of each speaker."""
    words: Counter[str] = Counter()
    questions: Counter[str] = Counter()
    for segment in segments:
        if segment.speaker is None:
            continue
        words[segment.speaker] += len(segment.words) or len(segment.text.split())
        asked = len(_QUESTION.findall(segment.text))
        if language == "el":
            asked += len(_GREEK_QUESTION.findall(segment.text))
        questions[segment.speaker] += asked
    return words, questions


def _by_speaker(turns: Iterable[Turn]) -> dict[int, list[Turn]]:
    found: dict[int, list[Turn]] = defaultdict(list)
    for turn in turns:
        if turn.seconds > 0:
            found[turn.speaker].append(turn)
    return found


def _union(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join spans that touch."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _seconds(spans: Iterable[tuple[float, float]]) -> float:
    return sum(end - start for start, end in spans)


def _overlap(spoken: Mapping[int, Sequence[tuple[float, float]]]) -> float:
    """Add up the time in which two or more speak."""
    moments = sorted(moment for spans in spoken.values() for start, end in spans for moment in ((start, 1), (end, -1)))
    overlap, speaking, since = 0.0, 0, 0.0
    for moment, change in moments:
        overlap += moment - since if speaking > 1 else 0.0
        speaking, since = speaking + change, moment
    return overlap


def _rounded(seconds: float) -> float:
    return round(seconds, 3)
