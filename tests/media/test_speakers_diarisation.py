"""Who speaks when in recordings of real people; ``python -m bench speakers`` measures more of them."""

import wave
from pathlib import Path

import pytest

from shared.transcript.schema import Word
from spotmill.testing import LeftError
from tests.diarisation_error import diarisation_error
from tests.media.job import CutJob
from tests.memory_job import MemoryJob
from tests.overlap_found import overlap_found
from tests.speakers_media import Manner, conversation
from tests.speech_media import Turn as TrueTurn
from tests.speech_media import call
from worker.pipelines.media.pcm import RATE, Pcm
from worker.pipelines.speakers.diarisation import diarise
from worker.pipelines.speakers.statistics import statistics
from worker.pipelines.speakers.turns import Turn
from worker.pipelines.speakers.words import assign
from worker.pipelines.speech.voice import voice_probabilities


def found_in(pcm: Pcm, speakers: int | None = None) -> list[Turn]:
    return diarise(MemoryJob(pcm.path, pcm.path.parent), pcm, voice_probabilities(pcm), speakers=speakers)


def forced(truth: tuple[TrueTurn, ...], each: float = 0.35) -> list[tuple[Word, str]]:
    """Fill true turns with words of equal length, each with who says it."""
    return [
        (Word(start=turn.start + number * each, end=turn.start + (number + 1) * each, word=" la", probability=1), who)
        for turn in truth
        for who in (turn.speaker,)
        for number in range(int((turn.end - turn.start) / each))
    ]


def test_three_readers_and_who_says_each_word(tmp_path: Path) -> None:
    talk = conversation(("allison", "carlo", "ivrvoice"), 60, seed=3, manner=Manner(turn=(1, 6)))
    turns = found_in(Pcm(talk.write(tmp_path / "talk.pcm")))
    assert len({turn.speaker for turn in turns}) == 3
    assert diarisation_error(talk.turns, turns).rate <= 0.08

    words = forced(talk.turns)
    given = assign([word for word, _ in words], turns)
    names = {who: max(set(given), key=lambda label: _together(words, given, who, label)) for _, who in words}
    assert len(set(names.values())) == 3
    right = sum(label == names[who] for (_, who), label in zip(words, given, strict=True))
    assert right >= 0.97 * len(words)


def test_interruptions_are_found(tmp_path: Path) -> None:
    talk = conversation(("allison", "june"), 60, seed=3, manner=Manner(turn=(1, 6), interrupting=0.3))
    turns = found_in(Pcm(talk.write(tmp_path / "talk.pcm")))
    found = overlap_found(talk.turns, turns)
    assert found.true_seconds > 1
    assert found.recall >= 0.6
    assert found.precision >= 0.8
    figures = statistics([], turns, 60.0)
    assert figures.overlap_seconds == pytest.approx(found.found_seconds, abs=0.2)
    assert sum(speaker.interruptions for speaker in figures.speakers) >= 1


def test_one_reader_is_one_speaker(tmp_path: Path) -> None:
    talk = conversation(("june",), 30, seed=3)
    turns = found_in(Pcm(talk.write(tmp_path / "talk.pcm")))
    assert {turn.speaker for turn in turns} == {0}


def test_a_real_call(tmp_path: Path) -> None:
    wav, truth = call()
    path = tmp_path / "call.pcm"
    with wave.open(str(wav)) as file:
        assert file.getframerate() == RATE
        path.write_bytes(file.readframes(file.getnframes()))
    assert diarisation_error(truth, found_in(Pcm(path))).rate <= 0.08


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.3, 2.0])
def test_recordings_with_hardly_any_sound_have_no_speakers(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "short.pcm"
    path.write_bytes(bytes(2 * round(seconds * RATE)))
    assert found_in(Pcm(path)) == []
    assert found_in(Pcm(path), speakers=3) == []


def test_a_short_sentence_has_a_speaker(tmp_path: Path) -> None:
    talk = conversation(("allison",), 1, seed=1, manner=Manner(turn=(0.1, 0.2)))
    assert {turn.speaker for turn in found_in(Pcm(talk.write(tmp_path / "talk.pcm")))} == {0}


def test_power_cuts_change_nothing(tmp_path: Path) -> None:
    talk = conversation(("allison", "carlo"), 15, seed=4, manner=Manner(turn=(1, 3)))
    pcm = Pcm(talk.write(tmp_path / "talk.pcm"))
    probabilities = voice_probabilities(pcm)
    undisturbed = diarise(MemoryJob(pcm.path, tmp_path), pcm, probabilities)
    for moment in (2, 5):
        try:
            diarise(CutJob(pcm.path, tmp_path / "job", cut_at=moment), pcm, probabilities)
        except LeftError:
            continue
    last = CutJob(pcm.path, tmp_path / "job")
    assert diarise(last, pcm, probabilities) == undisturbed
    assert last.recalled


def _together(words: list[tuple[Word, str]], given: list[str | None], who: str, label: str | None) -> int:
    return sum(speaker == who and one == label for (_, speaker), one in zip(words, given, strict=True))
