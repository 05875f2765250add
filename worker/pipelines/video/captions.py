"""What is said in a film: its captions and all else that the speech pipeline makes, where that is installed."""

from importlib.util import find_spec

from spotmill import Job, ModelError, PermanentError

#: What the extra ``speech`` brings and ``video`` does not.
_RECOGNITION = "faster_whisper"


def transcribe_film(job: Job, begin: float, end: float) -> list[str]:
    """Publish the transcript of a film, from ``begin`` to ``end`` of the progress; return what people should know."""
    if find_spec(_RECOGNITION) is None:
        return ["This worker cannot transcribe; the video has no captions."]
    from worker.pipelines.speech.publication import publish  # noqa: PLC0415 - a film without sound loads none of it
    from worker.pipelines.speech.settings import SpeechSettings  # noqa: PLC0415
    from worker.pipelines.speech.transcription import transcribe  # noqa: PLC0415

    settings = SpeechSettings.of(job.settings.get("speech", {}))
    last = begin + 0.95 * (end - begin)
    try:
        made = transcribe(job, job.download, settings, (begin, last))
    except (ModelError, PermanentError) as error:  # the film is worth having all the same
        return [f"The video has no captions. {error}"]
    publish(job, made, settings, (last, end))
    return []
