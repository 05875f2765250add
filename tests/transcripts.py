"""Transcripts to test with: of what is written here, and any that Hypothesis thinks of."""

from hypothesis import strategies as st

from shared.transcript.schema import Segment, SpeakerStatistics, Statistics, Transcript, Word

#: Seconds that a letter takes to say, and a pause between two speakers.
_LETTER_SECONDS, _PAUSE_SECONDS = 0.06, 0.4


def heard(start: float, speaker: str | None, text: str, pause: float = 0.0) -> Segment:
    """Say a text from second ``start`` on, each word as long as it is."""
    words = []
    at = start
    for word in text.split(" "):
        end = at + max(len(word), 2) * _LETTER_SECONDS
        words.append(Word(start=round(at, 2), end=round(end, 2), word=f" {word}", probability=0.9))
        at = end + _LETTER_SECONDS + pause
    return Segment(start=words[0].start, end=words[-1].end, speaker=speaker, text=text, words=tuple(words))


def conversation(*turns: tuple[str | None, str], language: str = "en") -> Transcript:
    """Have speakers say texts one after the other."""
    segments: list[Segment] = []
    for speaker, text in turns:
        segments.append(heard(segments[-1].end + _PAUSE_SECONDS if segments else 0.5, speaker, text))
    labels = sorted({speaker for speaker, _ in turns if speaker})
    talk = {label: sum(s.end - s.start for s in segments if s.speaker == label) for label in labels}
    duration = segments[-1].end + 0.5 if segments else 1.0
    speakers = tuple(
        SpeakerStatistics(
            speaker=label,
            talk_seconds=round(talk[label], 2),
            share=round(talk[label] / sum(talk.values()), 4),
            turns=sum(speaker == label for speaker, _ in turns),
            words=sum(len(s.words) for s in segments if s.speaker == label),
            words_per_minute=150.0,
            longest_monologue_seconds=round(max(s.end - s.start for s in segments if s.speaker == label), 2),
            interruptions=0,
            questions=sum(s.text.count("?") for s in segments if s.speaker == label),
        )
        for label in labels
    )
    speech = sum(s.end - s.start for s in segments)
    return Transcript(
        duration=duration,
        language=language,
        language_probability=0.98,
        model="tiny.en",
        segments=tuple(segments),
        statistics=Statistics(
            speech_seconds=round(speech, 2),
            silence_seconds=round(duration - speech, 2),
            overlap_seconds=0,
            speakers=speakers,
        ),
    )


_times = st.floats(0, 40_000, allow_nan=False)
_texts = st.one_of(
    st.sampled_from(
        [
            "",
            "Yes.",
            "Well, no; not at all!",
            "<i>--> &amp;",
            "https://example.org/" + "x" * 90,
            "明日は会議があります。",
        ]
    ),
    st.text(max_size=60),
    st.lists(st.sampled_from(["the", "harbour", "will", "be", "sold,", "I", "think.", "Or", "not?"]), max_size=80).map(
        " ".join
    ),
)


@st.composite
def words(draw: st.DrawFn) -> Word:
    start = draw(_times)
    text = draw(st.sampled_from(["", " "])) + draw(_texts)
    return Word(start=start, end=start + draw(st.floats(0, 12)), word=text, probability=draw(st.floats(0, 1)))


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    speaker = draw(st.sampled_from([None, "S1", "S2", "S10"]))
    if draw(st.booleans()):
        text = draw(_texts)
        return (
            heard(draw(_times), speaker, text, draw(st.sampled_from([0, 0.5, 3])))
            if text.split(" ") != [""]
            else draw(st.just(Segment(start=1, end=1, speaker=speaker, text="")))
        )
    said = tuple(draw(st.lists(words(), max_size=8)))
    start = draw(_times)
    text = "".join(word.word for word in said) if said else draw(_texts)
    return Segment(start=start, end=start + draw(st.floats(0, 60)), speaker=speaker, text=text, words=said)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Any transcript that the schema lets be, however odd its times."""
    return Transcript(
        duration=draw(_times),
        language=draw(st.sampled_from(["en", "ja", "th", "<&"])),
        model="tiny.en",
        segments=tuple(draw(st.lists(segments(), max_size=6))),
    )


#: What people may call a speaker.
names = st.dictionaries(st.sampled_from(["S1", "S2"]), st.text(max_size=40))
