"""What is recognised: sentences that people read out, one after the other, with pauses."""

from dataclasses import dataclass
from pathlib import Path

from tests.normalise import corrected
from tests.speech_media import joined, readings, sentences
from worker.pipelines.media.pcm import Pcm

#: Seconds of silence behind each sentence, in turns.
PAUSES = (0.9, 1.3, 0.7, 2.1, 1.1)


@dataclass(frozen=True, slots=True)
class Material:
    """Sound, and the words in it."""

    pcm: Pcm
    text: str


def spoken(folder: Path, most: int | None = None) -> Material:
    """Join all sentences of the telephone prompts and of the novel, or the first ``most``, in the order of their names.

    Nothing is left out for being hard: ``tests.speech_media.sentences`` chooses by the texts alone.
    """
    chosen = [*sentences(), *readings()][:most]
    path = folder / "sentences.pcm"
    joined([saying.sound() for saying in chosen], PAUSES).astype("<i2").tofile(path)
    return Material(Pcm(path), " ".join(corrected(saying.text) for saying in chosen))
