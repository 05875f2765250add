"""The part of a long passage that a hit shows."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shared.passages import Part, excerpt


def shown(marked: str, q: str = "harbour") -> str:
    return "".join(f"[{part.text}]" if part.found else part.text for part in excerpt(marked, q))


def test_a_short_passage_is_shown_whole() -> None:
    """What fits is not cut."""
    assert shown("We are at the \x02harbour\x03.") == "We are at the [harbour]."
    assert shown("Nothing is marked.") == "Nothing is marked."
    assert shown("") == ""


def test_a_long_passage_is_cut_between_words() -> None:
    """What was found stands in it, with some words before and after, and dots say that there is more."""
    cut = shown("before " * 100 + "\x02harbour\x03" + " after" * 100)
    assert cut.startswith("…before before")
    assert "before [harbour] after" in cut
    assert cut.endswith("after after…")
    assert len(cut) < 340


def test_the_part_with_most_of_it_is_shown() -> None:
    """A place that has all the words is better than the first that has one."""
    text = "the \x02red\x03 boat" + " and" * 200 + " a \x02red\x03 \x02harbour\x03" + " and" * 200
    assert "[red] [harbour]" in shown(text, "red harbour")


def test_letters_that_are_no_word_are_not_marked() -> None:
    """Where no spaces are written Postgres finds letter by letter; a lone letter of a longer word was not asked for."""
    marked = "\x02\x1f会\x1f\x03\x1f社\x1fと\x1f\x02\x1f会\x1f\x03\x02\x1f議\x1f\x03"
    assert shown(marked, "会議") == "会社と[会議]"


@given(st.lists(st.tuples(st.text(max_size=200), st.booleans()), max_size=12), st.text(max_size=20))
def test_an_excerpt_is_a_stretch_of_the_passage(pieces: list[tuple[str, bool]], q: str) -> None:
    """Whatever was said and asked for, what is shown was said like that, is not too long, and changes between parts."""
    plain = [("".join(c for c in words if c not in "\x02\x03\x1f"), found) for words, found in pieces]
    parts = excerpt("".join(f"\x02{words}\x03" if found else words for words, found in plain), q)
    whole = "".join(words for words, _ in plain)
    text = "".join(part.text for part in parts)
    assert text in whole or text.removeprefix("…").removesuffix("…") in whole or not whole
    assert len(text) <= 80 + 240 + 2
    assert all(part.text for part in parts)
    dots = Part("…", found=False)
    assert all(a.found != b.found or dots in (a, b) for a, b in pairwise(parts))
