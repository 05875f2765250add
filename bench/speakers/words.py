"""Who said each word: recognised by Whisper, given to a speaker by the pipeline, and compared with the true turns."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path

from bench.speech.engines import MODEL
from tests.memory_job import MemoryJob
from tests.speakers_media import Conversation
from tests.speech_media import Turn
from worker.pipelines.media.pcm import Pcm
from worker.pipelines.speech.progress import Stretch
from worker.pipelines.speech.settings import SpeechSettings
from worker.pipelines.speech.transcription import written


def words_right(talk: Conversation) -> tuple[int, int]:
    """Return how many words of a conversation got the speaker who said them, and how many words there are."""
    pairs = Counter(_pairs(talk))
    labels, readers = {label for label, _ in pairs}, sorted({turn.speaker for turn in talk.turns})
    # A label stands for one reader at most: of all ways to pair them the best.
    padded = [*labels, *[""] * len(readers)]
    best = max(
        sum(pairs[label, reader] for label, reader in zip(chosen, readers, strict=True))
        for chosen in permutations(padded, len(readers))
    )
    return best, pairs.total()


def _pairs(talk: Conversation) -> Iterator[tuple[str | None, str]]:
    with tempfile.TemporaryDirectory() as folder:
        pcm = Pcm(talk.write(Path(folder) / "mix.pcm"))
        job = MemoryJob(pcm.path, Path(folder), models={"whisper": MODEL})
        made = written(pcm, SpeechSettings(language="en"), Stretch(job, 0.0, 1.0))
    for segment in made.segments:
        for word in segment.words:
            yield segment.speaker, _who(talk.turns, word.start, word.end)


def _who(turns: Sequence[Turn], start: float, end: float) -> str:
    """Return who speaks most of that time, or if nobody does, who is the nearest."""
    return max(turns, key=lambda turn: min(end, turn.end) - max(start, turn.start)).speaker
