"""What people download: captions, text and documents that other programs read, with the names that people gave."""

import io
import re
import zipfile
from html import unescape

import docx as python_docx
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.transcript.document import docx
from shared.transcript.paragraphs import paragraphs
from shared.transcript.schema import Transcript
from shared.transcript.subtitles import srt, vtt
from shared.transcript.text import txt
from shared.transcript.wording import called, clean
from tests.transcripts import conversation, names, transcripts

TALK = conversation(
    ("S1", "Shall we sell the harbour?"), ("S2", "No, never. R&D <needs> it."), ("S2", "Ask again."), (None, "Hm.")
)
GIVEN = {"S1": "Ada Lovelace", "S2": "Tom & <Jerry>"}
_TIME = r"(\d\d+):(\d\d):(\d\d)[.,](\d\d\d)"
_BLOCK = re.compile(rf"(?:(\d+)\n)?{_TIME} --> {_TIME}\n(.+(?:\n.+)?)\n")


def letters(text: str) -> str:
    return "".join(clean(text).split())


def said(transcript: Transcript) -> str:
    return "".join("".join(word.word for word in s.words) if s.words else s.text for s in transcript.segments)


def blocks(file: str) -> list[tuple[int, int, str]]:
    """Read captions as a player does: blank lines stand between them and nowhere else."""
    read = []
    for block in file.split("\n\n") if file else []:
        match = _BLOCK.fullmatch(block.removesuffix("\n") + "\n")
        assert match, block
        hours = [int(number) for number in match.groups()[1:9]]
        start, end = ((h * 60 + m) * 60_000 + s * 1000 + ms for h, m, s, ms in (hours[:4], hours[4:]))
        read.append((start, end, match[10]))
    return read


def test_subrip_names_who_begins_to_speak() -> None:
    """Numbered captions with commas in their times; the name stands where the speaker changes; nothing is markup."""
    assert srt(TALK, GIVEN).startswith(
        "1\n00:00:00,500 --> 00:00:02,460\nAda Lovelace: Shall we sell the harbour?\n\n2\n00:00:02,460 --> "
    )
    assert [text for _, _, text in blocks(srt(TALK, GIVEN))] == [
        "Ada Lovelace: Shall we sell the harbour?",
        "Tom & ‹Jerry›: No, never. R&D ‹needs› it.",  # noqa: RUF001 - no player takes these for markup
        "Ask again.",
        "Hm.",
    ]
    assert "Speaker 1: Shall" in srt(TALK, {})
    assert "Speaker" not in srt(conversation(("S1", "I am alone."), ("S1", "Still.")), {})


def test_webvtt_has_a_voice_for_each_speaker() -> None:
    """Every caption says whose it is; what would be markup is none."""
    written = vtt(TALK, GIVEN)
    assert written.startswith("WEBVTT\n\n00:00:00.500 --> 00:00:02.060\n<v Ada Lovelace>Shall we sell the harbour?\n")
    assert "<v Tom &amp; &lt;Jerry&gt;>No, never. R&amp;D &lt;needs&gt; it.\n" in written
    assert written.rstrip().endswith("\nHm.")


@given(transcripts(), names)
def test_captions_are_read_back_as_written(transcript: Transcript, given: dict[str, str]) -> None:
    """Whatever is said and however people are called: every word is there, times rise, and the file keeps its form."""
    head, _, rest = vtt(transcript, given).partition("\n")
    assert head == "WEBVTT"
    web = blocks(rest.removeprefix("\n"))
    plain = "".join(unescape(re.sub(r"^<v [^>]*>", "", text)) for _, _, text in web)
    assert sorted(letters(plain)) == sorted(letters(said(transcript)))
    voices = {unescape(voice) for _, _, text in web for voice in re.findall(r"^<v ([^>]*)>", text)}
    assert voices <= {called(label, given) for label in ("S1", "S2", "S10")}
    for found in (web, blocks(srt(transcript, given))):
        times = [time for start, end, _ in found for time in (start, end)]
        assert times == sorted(times)


def test_plain_text_has_a_paragraph_for_each_turn() -> None:
    """With time and speaker before it."""
    assert txt(TALK, GIVEN) == (
        "[0:00] Ada Lovelace: Shall we sell the harbour?\n\n"
        "[0:02] Tom & <Jerry>: No, never. R&D <needs> it. Ask again.\n\n"
        "[0:05] Hm.\n"
    )
    assert txt(conversation(), {}) == ""


def test_languages_without_spaces_get_none() -> None:
    """Sentences of Japanese follow one another as they are written; of a translation they do not."""
    japanese = conversation(("S1", "明日は。"), ("S1", "会議です。"), language="ja")
    assert "明日は。会議です。" in txt(japanese, {})
    assert "a b" in txt(
        conversation(("S1", "a"), ("S1", "b"), language="ja").model_copy(update={"task": "translate"}), {}
    )


def test_a_name_does_not_turn_the_text_behind_it() -> None:
    """Marks of direction go, letters of all directions stay."""
    assert called("S1", {"S1": "\u202eAda\u2069 עדה"}) == "Ada עדה"
    assert called("S1", {"S1": "\u2067\u202e"}) == "Speaker 1"


def test_word_reads_the_document() -> None:
    """Title, then for each turn a heading with speaker and time, and what was said."""
    document = python_docx.Document(io.BytesIO(docx(TALK, GIVEN, "Harbour & sea.mp3")))
    assert [(p.style and p.style.name, p.text) for p in document.paragraphs] == [
        ("Title", "Harbour & sea.mp3"),
        ("Heading 2", "Ada Lovelace  0:00"),
        ("Normal", "Shall we sell the harbour?"),
        ("Heading 2", "Tom & <Jerry>  0:02"),
        ("Normal", "No, never. R&D <needs> it. Ask again."),
        ("Heading 2", "0:05"),
        ("Normal", "Hm."),
    ]
    assert document.core_properties.title == "Harbour & sea.mp3"
    assert document.core_properties.language == "en"


@settings(max_examples=50)
@given(transcripts(), names, st.text(max_size=20))
def test_documents_of_any_transcript_are_whole_and_the_same(
    transcript: Transcript, given: dict[str, str], title: str
) -> None:
    """Every word is in them, in any language and whatever the names, and the same transcript gives the same bytes."""
    made = docx(transcript, given, title)
    assert made == docx(transcript, given, title)
    texts = [paragraph.text for paragraph in python_docx.Document(io.BytesIO(made)).paragraphs]
    assert letters("".join(texts[2::2])) == letters("".join(segment.text for segment in transcript.segments))
    with zipfile.ZipFile(io.BytesIO(made)) as package:
        assert {entry.date_time for entry in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@given(transcripts())
def test_paragraphs_leave_no_segment_out(transcript: Transcript) -> None:
    """They follow one another, each of one speaker, and together they are the transcript."""
    found = paragraphs(transcript)
    covered = [number for paragraph in found for number in range(paragraph.first, paragraph.last + 1)]
    assert covered == list(range(len(transcript.segments))) or not found
    for paragraph in found:
        spoken = transcript.segments[paragraph.first : paragraph.last + 1]
        assert {segment.speaker for segment in spoken if clean(segment.text)} == {paragraph.speaker}
