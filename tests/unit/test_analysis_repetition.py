"""What is said again is quoted, to be done and decided once."""

import pytest

from tests.meetings import talk
from worker.pipelines.analysis import analyse

PROMPTS = (
    "Please enter your agent number followed by the pound key.",
    "The conference is locked and nobody else can join it now.",
    "Please enter your agent number, followed by the pound key.",
    "You have no new messages in your personal mailbox today.",
    "PLEASE ENTER YOUR AGENT NUMBER FOLLOWED BY THE POUND KEY!",
    "The number you have dialled is not in service at the moment.",
    "Please also enter your agent number, followed by the pound key.",
    "Press the star key to hear these options another time.",
    "All our agents are busy with other callers at the moment.",
    "Thank you for calling, and have a pleasant evening at home.",
)


def test_what_is_repeated_is_quoted_once() -> None:
    """The same words whatever their case and points, and nearly the same; the first of the same is what is quoted."""
    summary = analyse(talk("en", *(f": {line}" for line in PROMPTS)), None).summary
    agents = [quote for quote in summary if "agent number" in quote.text.lower()]

    assert len(summary) == 3
    assert len(agents) <= 1
    assert not {2, 4} & {index for quote in summary for index in quote.segments}


@pytest.mark.parametrize("repeated", [PROMPTS[0], PROMPTS[6]])
def test_a_summary_may_have_fewer_quotes_than_sentences_repeat(repeated: str) -> None:
    """Nothing else was said, so one quote is all there is, however often it was said."""
    (quote,) = analyse(talk("en", *[f": {PROMPTS[0]}"] * 6, f": {repeated}"), None).summary

    assert (quote.text, quote.segments) == (PROMPTS[0], (0,))


def test_what_is_asked_again_is_to_be_done_once() -> None:
    """In the same words, whatever their case and points; the first place is named."""
    found = analyse(
        talk(
            "en",
            ": Please send the report to Vienna.",
            ": The weather is nice.",
            ": Please send the report, to Vienna!",
            ": Please book the small room.",
            ": please SEND the report to Vienna.",
        ),
        None,
    ).action_items

    assert [(item.what, item.segments) for item in found] == [
        ("send the report to Vienna", (0,)),
        ("book the small room", (3,)),
    ]


def test_a_task_asked_twice_is_that_of_the_one_who_takes_it_on() -> None:
    """The first request learns from the second who and until when, and both places say so."""
    found = analyse(
        talk(
            "en",
            "S1: Could you write the minutes?",
            "S1: It is cold in here, is it not?",
            "S3: The heating has been off since the weekend, I believe.",
            "S3: Somebody told the caretaker on Sunday.",
            "S3: He said that it was an old boiler.",
            "S1: Could you write the minutes?",
            "S2: Sure, by Friday.",
        ),
        None,
    ).action_items

    assert [(item.what, item.who, item.until, item.segments) for item in found] == [
        ("write the minutes", "S2", "by Friday", (0, 5, 6))
    ]


def test_the_same_task_of_others_or_for_another_day_is_another() -> None:
    """Two who promise the same in the same words have a task each."""
    found = analyse(
        talk(
            "en",
            "S1: I will send the report to Vienna by Friday.",
            "S2: The weather is nice today.",
            "S2: I will send the report to Vienna by Friday.",
            "S1: It was colder last week.",
            "S1: I will send the report to Vienna by Monday.",
        ),
        None,
    ).action_items

    assert [(item.who, item.until) for item in found] == [
        ("S1", "by Friday"),
        ("S2", "by Friday"),
        ("S1", "by Monday"),
    ]


def test_a_decision_is_listed_once() -> None:
    """But "We agreed." alone may be about something else each time."""
    found = analyse(
        talk(
            "en",
            "S1: We decided to open the shop in May.",
            "S2: Then we agreed.",
            "S1: So we decided to open the shop, in May.",
            "S1: We decided to open the shop in May!",
            "S2: Then we agreed.",
        ),
        None,
    ).decisions

    assert [statement.segments[0] for statement in found] == [0, 1, 2, 4]
