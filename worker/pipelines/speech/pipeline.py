"""The speech pipeline: what is said in a recording, when, by whom, and what it comes to."""

from spotmill import Job, pipeline
from worker.pipelines.speech.settings import SETTINGS_SCHEMA, SpeechSettings

#: Sound that goes by the name of an application.
_CONTAINERS = ("application/ogg", "application/x-ogg")


@pipeline("speech", accepts=("audio/*", *_CONTAINERS), settings_schema=SETTINGS_SCHEMA)
def speech(job: Job) -> None:
    """Transcribe one recording, in steps of some ten seconds."""
    # Not at the head: a child that only makes thumbnails should not load numpy's friends.
    from worker.pipelines.speech.recording import process  # noqa: PLC0415 - see above

    process(job, SpeechSettings.of(job.settings))
