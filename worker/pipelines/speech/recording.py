"""The way of a recording through the pipeline: sound, a copy to listen to, words and speakers, publication."""

from pathlib import Path

from spotmill import Job
from worker.pipelines.speech.listening import listening_copy
from worker.pipelines.speech.progress import Stretch
from worker.pipelines.speech.publication import publish
from worker.pipelines.speech.settings import SpeechSettings
from worker.pipelines.speech.sound import decoded_sound
from worker.pipelines.speech.transcription import Transcription, written

#: Where the stages begin on the way from 0 to 1.
_LISTENING, _WORDS, _PUBLICATION = 0.08, 0.15, 0.95


def process(job: Job, settings: SpeechSettings) -> None:
    """Make everything that the speech pipeline publishes.

    Raises:
        PermanentError: the file has no sound, or its settings ask for what there is not.
    """
    whole = Stretch(job, 0.0, 1.0)
    decoding, listening = whole.part(0.0, _LISTENING), whole.part(_LISTENING, _WORDS)
    pcm = decoded_sound(
        job,
        job.download,
        track=settings.track,
        max_hours=settings.max_hours,
        told=lambda done: decoding.tell(done, "decoding the sound"),
    )
    # The last that needs the file itself: a worker that takes over later need not fetch it.
    copy = listening_copy(
        job,
        job.download,
        pcm,
        track=settings.track,
        told=lambda done: listening.tell(done, "making a copy to listen to"),
    )
    transcript = written(pcm, settings, whole.part(_WORDS, _PUBLICATION))
    publish(job, Transcription(transcript, pcm), settings, (_PUBLICATION, 1.0))
    stem = Path(job.source.filename).stem or "recording"
    seconds = round(pcm.seconds, 3)
    job.artifact("audio", copy, content_type="audio/mp4", filename=f"{stem}.m4a", metadata={"seconds": seconds})
