"""The analysis by quotes and rules, measured on meetings whose minutes were written by hand."""

import pytest

from shared.transcript.analysis import Analysis
from shared.transcript.schema import Transcript
from tests.meetings import CLINIC, LAUNCH, UMZUG, VEREIN, Meeting, talk
from worker.pipelines.analysis import analyse

MEETINGS = {"launch": LAUNCH, "clinic": CLINIC, "umzug": UMZUG, "verein": VEREIN}


@pytest.fixture(params=MEETINGS)
def meeting(request: pytest.FixtureRequest) -> Meeting:
    """Each meeting in turn."""
    return MEETINGS[request.param]


def window_errors(reference: tuple[int, ...], found: list[int], count: int) -> float:
    """Reckon Pk (Beeferman, Berger and Lafferty 1999): how often two segments half a topic apart are told wrongly."""
    half = max(2, round(count / len(reference) / 2))

    def together(borders: tuple[int, ...] | list[int], index: int) -> bool:
        return not any(index < border <= index + half for border in borders)

    wrong = [together(reference, i) != together(found, i) for i in range(count - half)]
    return sum(wrong) / len(wrong)


def test_action_items_are_those_of_the_minutes(meeting: Meeting) -> None:
    """At least nine of ten are found, and at least eight of ten findings are right."""
    found = analyse(meeting.transcript, None).action_items
    due = {action.index for action in meeting.actions}
    right = [item for item in found if due & set(item.segments)]
    seen = {index for item in found for index in item.segments}

    assert len(due & seen) >= 0.9 * len(due)
    assert len(right) >= 0.8 * len(found)


def test_action_items_say_who_and_until_when(meeting: Meeting) -> None:
    """Nine of ten of those found have the person and the time of the minutes."""
    due = {action.index: action for action in meeting.actions}
    pairs = [
        (item, due[index])
        for item in analyse(meeting.transcript, None).action_items
        for index in item.segments
        if index in due
    ]
    right = [
        item
        for item, action in pairs
        if (item.who, (item.until or "").lower()) == (action.who, (action.until or "").lower())
    ]

    assert len(right) >= 0.9 * len(pairs)


def test_decisions_are_those_of_the_minutes(meeting: Meeting) -> None:
    """All are found and nothing else is, each quoted word for word."""
    found = analyse(meeting.transcript, None).decisions

    assert tuple(statement.segments[0] for statement in found) == meeting.decisions
    assert all(statement.quote for statement in found)


def test_topics_begin_where_the_minutes_say(meeting: Meeting) -> None:
    """The error is at most 0.15, where no boundary at all has 0.4, and titles are words of the topic."""
    found = analyse(meeting.transcript, None).topics
    segments = meeting.transcript.segments

    assert window_errors(meeting.topics, [topic.segments[0] for topic in found], len(segments)) <= 0.15
    for topic in found:
        said = " ".join(segments[index].text for index in topic.segments).lower()
        assert all(word.lower() in said for word in topic.title.replace(",", "").split())
        assert (topic.start, topic.end) == (segments[topic.segments[0]].start, segments[topic.segments[-1]].end)


def test_every_statement_can_be_checked(meeting: Meeting) -> None:
    """A quote stands in the segments that it names, and topics cover the recording without a gap."""
    found = analyse(meeting.transcript, None)
    segments = meeting.transcript.segments

    for statement in (*found.summary, *found.decisions):
        assert statement.text in " ".join(segments[index].text for index in statement.segments)
    covered = [index for topic in found.topics for index in topic.segments]
    assert covered == list(range(len(segments)))
    assert len(found.summary) >= 3


def test_the_same_transcript_gives_the_same_bytes(meeting: Meeting) -> None:
    """Also after it was stored and read again."""
    first = analyse(meeting.transcript, None).model_dump_json()
    again = analyse(Transcript.model_validate_json(meeting.transcript.model_dump_json()), None)

    assert again.model_dump_json() == first
    assert Analysis.model_validate_json(first) == again


@pytest.mark.parametrize(
    ("language", "line", "what", "until"),
    [
        ("en", "I'll send you the contract by Friday.", "send you the contract", "by Friday"),
        ("en", "I am going to call the landlord on Monday morning.", "call the landlord", "on Monday morning"),
        (
            "en",
            "We need to renew the keys before the end of the month.",
            "renew the keys",
            "before the end of the month",
        ),
        ("en", "Let's invite the auditors next week.", "invite the auditors", "next week"),
        ("en", "Please update the price list, because two prices are wrong.", "update the price list", None),
        ("en", "Can you book a room within the next two days?", "book a room", "within the next two days"),
        ("en", "I will return the keys by the 15th of March.", "return the keys", "by the 15th of March"),
        ("de", "Ich schicke dir den Vertrag bis Ende der Woche.", "schicke dir den Vertrag", "bis Ende der Woche"),
        ("de", "Ich werde am Montag den Vermieter anrufen.", "den Vermieter anrufen", "am Montag"),
        ("de", "Wir müssen noch die Zertifikate erneuern.", "die Zertifikate erneuern", None),
        ("de", "Könnten Sie bitte bis zum 15. März die Akten holen?", "die Akten holen", "bis zum 15. März"),
    ],
)
def test_what_is_to_be_done_is_found(language: str, line: str, what: str, until: str | None) -> None:
    """The time is taken out of the words and kept as it is said."""
    (item,) = analyse(talk(language, f"S1: {line}"), None).action_items

    assert (item.what, item.until, item.segments) == (what, until, (0,))


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "I will never forget that evening."),
        ("en", "Can you hear me?"),
        ("en", "I'll be honest with you."),
        ("en", "If I can find the time, it would be nice."),
        ("en", "I would send the contract if I were you."),
        ("en", "Let's move on to the next point."),
        ("en", "I always write the report on Fridays."),
        ("en", "What I can see is a blank page."),
        ("en", "Yesterday I sent the contract."),
        ("de", "Könnt ihr mich hören?"),
        ("de", "Ich mache das seit zehn Jahren."),
        ("de", "Ich teile mal meinen Bildschirm."),
        ("de", "Wenn ich den Vertrag schicke, ist es zu spät."),
        ("de", "Guten Morgen zusammen."),
    ],
)
def test_what_is_only_talk_is_left_out(language: str, line: str) -> None:
    """Conditions, habits, the past, and the talk about the talk."""
    assert analyse(talk(language, f"S1: {line}"), None).action_items == ()


def test_a_request_belongs_to_the_one_who_takes_it_on() -> None:
    """And is dropped when nobody does."""
    found = analyse(
        talk(
            "en",
            "S1: Anna, could you write the minutes?",
            "S2: Sure. You'll have them tomorrow.",
            "S1: Could you also print the posters?",
            "S3: Sorry, my printer is broken.",
        ),
        None,
    ).action_items

    assert [(item.what, item.who, item.until, item.segments) for item in found] == [
        ("write the minutes", "S2", "tomorrow", (0, 1))
    ]


def test_a_name_stands_where_nobody_answers() -> None:
    """As it was said; a page may know whose it is."""
    (item,) = analyse(talk("en", "S1: Anna, could you write the minutes by tomorrow?"), None).action_items

    assert (item.who, item.until) == ("Anna", "by tomorrow")


@pytest.mark.parametrize(
    "line",
    [
        "Have we decided on a date?",
        "We haven't decided yet.",
        "If we decided to go, we would need a car.",
        "I agreed with her.",
    ],
)
def test_what_is_not_decided_is_no_decision(line: str) -> None:
    """Questions, conditions, and what is still open."""
    assert analyse(talk("en", f"S1: {line}"), None).decisions == ()


LECTURE = (
    "Welcome back. Today I'm going to talk about why bridges fall down.",
    "Last week I said that I will come back to the bridge in Tacoma, so let's look at it now.",
    "The bridge was opened in July, and the engineers had decided to save steel.",
    "We have to understand that nobody had tested such a thin deck in the wind.",
    "If we had a wind tunnel here, I would show you how the deck begins to swing.",
    "You can see on this picture that the deck twists, and I will never forget the first time I saw the film.",
    "Let's suppose that the wind blows at forty miles per hour, and let's define the frequency of the deck.",
    "Can you imagine what the drivers felt?",
    "We should remember that the theory of the time agreed with the design.",
    "In the next lecture I will explain how dampers work.",
)
VORLESUNG = (
    "Herzlich willkommen zur Vorlesung. Ich werde heute über Brücken sprechen.",
    "Wir müssen zuerst verstehen, warum der Wind so gefährlich ist.",
    "Die Ingenieure haben damals immer wieder Stahl gespart.",
    "Lasst uns das Bild einmal genau betrachten.",
    "Wenn ich die Brücke baue, prüfe ich natürlich den Wind.",
    "Ich zeige euch gleich einen Film, könnt ihr mich hinten hören?",
    "Das haben die Kollegen noch nicht entschieden.",
)


@pytest.mark.parametrize(("language", "said"), [("en", LECTURE), ("de", VORLESUNG)])
def test_a_lecture_asks_nothing_of_anybody(language: str, said: tuple[str, ...]) -> None:
    """A speaker who says "we have to understand" gives nobody a task, and one who tells of decisions makes none."""
    found = analyse(talk(language, *(f"S1: {line}" for line in said)), None)

    assert (found.action_items, found.decisions) == ((), ())
    assert found.summary


def test_without_speakers_a_request_is_answered_once() -> None:
    """Where nobody could tell who says yes, only the first yes counts."""
    found = analyse(
        talk(
            "en", ": Could you write the minutes?", ": Sure, by Friday.", ": And the weather is nice.", ": Yes, it is."
        ),
        None,
    )

    assert [(item.what, item.until, item.segments) for item in found.action_items] == [
        ("write the minutes", "by Friday", (0, 1))
    ]


def test_without_speakers_there_are_still_tasks() -> None:
    """A recording whose speakers nobody could tell apart: who is left open."""
    (item,) = analyse(talk("en", ": I will send the contract by Friday."), None).action_items

    assert (item.what, item.who) == ("send the contract", None)


def test_a_sentence_may_go_on_in_the_next_segment() -> None:
    """Both segments are named."""
    (item,) = analyse(
        talk("en", "S1: I will send the", "S1: contract to the lawyer tomorrow. Good."), None
    ).action_items

    assert (item.what, item.segments) == ("send the contract to the lawyer", (0, 1))


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("fr", ["S1: Nous avons décidé de lancer le site lundi.", "S2: Je vais prévenir la presse avant vendredi."]),
        ("ja", ["S1: 新しいサイトは月曜日に公開することに決まりました。", "S2: 私が金曜日までに新聞社に連絡します。"]),
    ],
)
def test_a_language_without_rules_has_quotes_and_topics(language: str, lines: list[str]) -> None:
    """And says that nobody looked for the rest."""
    found = analyse(talk(language, *lines), None)

    assert found.summary
    assert found.topics
    assert (found.decisions, found.action_items) == ((), ())
    assert found.note is not None
    assert f"no rules for this language ({language})" in found.note


def test_a_translated_recording_is_english() -> None:
    """The language of the text counts, not of what was spoken."""
    found = analyse(talk("fr", "S1: I will tell the press by Friday.", task="translate"), None)

    assert (found.language, len(found.action_items)) == ("en", 1)


@pytest.mark.parametrize("lines", [[], ["S1: "], ["S1: ...", "S2: -"]])
def test_silence_has_no_analysis(lines: list[str]) -> None:
    """And says so."""
    found = analyse(talk("en", *lines), None)

    assert (found.missing, found.summary, found.topics) == ("Nothing was said.", (), ())


@pytest.mark.parametrize(
    "word", ["I will ", "can you ", "this is the end of the ", "so okay then ", "weiter ", ". ", "a, ", "x"]
)
@pytest.mark.parametrize("language", ["en", "de", "xx"])
def test_text_without_end_or_sense_is_survived(language: str, word: str) -> None:
    """No pattern runs away with it; the test's time limit would tell."""
    found = analyse(talk(language, f"S1: {word * 20_000}"), None)

    assert found.version == 1
