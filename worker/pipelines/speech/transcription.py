"""From a file to its transcript, in steps: sound, speech, language, words, speakers.

The video pipeline calls this, too; what is published of it is in ``publication``.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.transcript.schema import Transcript
from spotmill import Job, Model, PermanentError
from worker.pipelines.media.pcm import Pcm
from worker.pipelines.speakers.diarisation import diarise
from worker.pipelines.speakers.pyannote import MODEL_NAME as PYANNOTE
from worker.pipelines.speakers.pyannote import diarise_with_pyannote
from worker.pipelines.speakers.statistics import statistics
from worker.pipelines.speakers.turns import Turn
from worker.pipelines.speakers.words import assign
from worker.pipelines.speech import merge
from worker.pipelines.speech.clips import Clip, plan, spread
from worker.pipelines.speech.progress import Stretch
from worker.pipelines.speech.recognition import recognise
from worker.pipelines.speech.settings import SpeechSettings
from worker.pipelines.speech.sound import decoded_sound
from worker.pipelines.speech.voice import PIECE_FRAMES, VoicePiece, frame_count, spans, voice_model, voice_piece
from worker.pipelines.speech.whisper import Heard, Recipe, likeliest, load, threads

#: The language of a recording in which nobody speaks (ISO 639-2: undetermined).
NO_LANGUAGE = "und"

#: Clips in which the language is looked for.
_LANGUAGE_CLIPS = 4


@dataclass(frozen=True, slots=True)
class Transcription:
    """A transcript and the sound that it is of."""

    transcript: Transcript
    pcm: Pcm


@dataclass(frozen=True, slots=True)
class _Language:
    name: str
    probability: float | None = None


def transcribe(
    job: Job, source: Callable[[], Path], settings: SpeechSettings, progress: tuple[float, float] = (0.0, 1.0)
) -> Transcription:
    """Write down what is said in a file; ``source`` is called only where the file itself is needed.

    ``progress`` is where this begins and ends in the job's progress.

    Raises:
        PermanentError: the file has no sound, or its settings ask for what there is not.
    """
    whole = Stretch(job, *progress)
    pcm = decoded_sound(
        job,
        source,
        track=settings.track,
        max_hours=settings.max_hours,
        told=lambda done: whole.tell(0.1 * done, "decoding the sound"),
    )
    return Transcription(written(pcm, settings, whole.part(0.1, 1.0)), pcm)


def written(pcm: Pcm, settings: SpeechSettings, part: Stretch) -> Transcript:
    """Write down what is said in decoded sound.

    Raises:
        PermanentError: the model cannot do what the settings ask for.
    """
    probabilities = _probabilities(pcm, settings, part.part(0.0, 0.02))
    clips = plan(spans(probabilities, pcm.samples))
    heard: list[Heard] = []
    language = _Language(settings.language or NO_LANGUAGE)
    named = settings.model
    if clips:
        model = part.job.model(settings.model)
        named = f"{settings.model} ({model.place})" if model.place else settings.model
        language = _language(model, pcm, clips, settings, part.part(0.02, 0.8))
        recipe = Recipe(language.name, settings.task, settings.vocabulary, settings.beam_size)
        heard = _heard(model, pcm, clips, recipe, part.part(0.02, 0.8))
    words = merge.words(clips, heard)
    turns = _turns(pcm, probabilities, settings, part.part(0.8, 1.0)) if words else []
    spoken = [merge.Spoken(word, speaker) for word, speaker in zip(words, assign(words, turns), strict=True)]
    segments = merge.segments(spoken, turns)
    duration = round(pcm.seconds, 3)
    return Transcript(
        duration=duration,
        language=language.name,
        language_probability=language.probability,
        task=settings.task,
        model=named,
        segments=tuple(segments),
        statistics=statistics(segments, turns, duration, language.name) if turns else None,
    )


def _probabilities(pcm: Pcm, settings: SpeechSettings, part: Stretch) -> NDArray[np.float32]:
    pieces: list[VoicePiece] = []
    frames = frame_count(pcm)
    for first in range(0, frames, PIECE_FRAMES):
        part.tell(first / frames, "finding speech")
        key = f"speech found by {voice_model()}, track {settings.track}, from frame {first} of {frames}"
        before = pieces[-1] if pieces else None
        pieces.append(VoicePiece.from_bytes(part.job.step(key, _voice, pcm, first, before)))
    return np.concatenate([piece.probabilities for piece in pieces])


def _voice(pcm: Pcm, first: int, before: VoicePiece | None) -> bytes:
    return voice_piece(pcm, first, before).to_bytes()


def _language(model: Model, pcm: Pcm, clips: Sequence[Clip], settings: SpeechSettings, part: Stretch) -> _Language:
    """Take the language that was given, or find it out.

    Raises:
        PermanentError: the model cannot do what the settings ask for.
    """
    known = part.job.step(f"languages of {model.id}", _known, model)
    if settings.language is not None and settings.language not in known:
        only = (
            "English only" if len(known) == 1 else f"{len(known)} languages, and {settings.language!r} is none of them"
        )
        raise PermanentError(f"The model {settings.model!r} knows {only}.")
    if settings.task == "translate" and len(known) == 1:
        raise PermanentError(f"The model {settings.model!r} knows English only, so it cannot translate.")
    if settings.language is not None or len(known) == 1:
        return _Language(settings.language or known[0])
    likely = []
    for clip in spread(clips, _LANGUAGE_CLIPS):
        part.tell(0.0, "finding the language")
        likely.append(part.job.step(f"language by {model.id}, {_digest([clip])}", _likely, model, pcm, clip))
    return _Language(*likeliest(likely))


def _known(model: Model) -> tuple[str, ...]:
    return load(model.path, model.id).languages


def _likely(model: Model, pcm: Pcm, clip: Clip) -> dict[str, float]:
    return load(model.path, model.id).language(clip.sound(pcm))


def _heard(model: Model, pcm: Pcm, clips: Sequence[Clip], recipe: Recipe, part: Stretch) -> list[Heard]:
    """Recognise group by group; the value of each step says how many clips it holds."""
    heard: list[Heard] = []
    key = f"words by {model.id}, {_digest(clips, recipe)}"
    while len(heard) < len(clips):
        first = len(heard)

        def tell(done: int, first: int = first) -> None:
            part.tell((first + done) / len(clips), "recognising speech")

        tell(0)
        values = part.job.step(f"{key}, from clip {first}", _recognised, model, pcm, clips[first:], recipe, tell)
        heard += [Heard.from_json(value) for value in values]
    return heard


def _recognised(
    model: Model, pcm: Pcm, clips: Sequence[Clip], recipe: Recipe, tell: Callable[[int], None]
) -> list[dict[str, Any]]:
    found = recognise(load(model.path, model.id), pcm, clips, recipe, tell)
    return [heard.to_json() for heard in found]


def _turns(pcm: Pcm, probabilities: NDArray[np.float32], settings: SpeechSettings, part: Stretch) -> list[Turn]:
    if settings.speakers == "off":
        return []
    count = settings.speakers if isinstance(settings.speakers, int) else None
    if settings.speaker_engine == "pyannote":
        return diarise_with_pyannote(part.job, pcm, part.job.model(PYANNOTE), speakers=count)
    return diarise(part.job, pcm, probabilities, speakers=count, threads=threads(), progress=(part.begin, part.end))


def _digest(clips: Sequence[Clip], recipe: Recipe | None = None) -> str:
    """Name what is heard and how, for the keys of steps."""
    described = [[asdict(clip) for clip in clips], asdict(recipe) if recipe else None]
    return sha256(json.dumps(described).encode()).hexdigest()[:16]
