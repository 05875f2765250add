"""What is published of a transcription: the transcript and its renderings, waveform, analysis, passages for search."""

from shared.transcript.document import docx
from shared.transcript.schema import Transcript
from shared.transcript.subtitles import srt, vtt
from shared.transcript.text import txt
from spotmill import Job
from worker.pipelines.analysis.analysing import analyse
from worker.pipelines.speech import merge
from worker.pipelines.speech.progress import Stretch
from worker.pipelines.speech.settings import SpeechSettings
from worker.pipelines.speech.transcription import Transcription
from worker.pipelines.speech.waveform import waveform

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def publish(job: Job, made: Transcription, settings: SpeechSettings, progress: tuple[float, float]) -> None:
    """Publish all artifacts of a transcription and add to the job's result."""
    part = Stretch(job, *progress)
    transcript = made.transcript
    part.tell(0.0, "writing the transcript")
    _file(job, "transcript", transcript.model_dump_json().encode(), "application/json", "transcript.json")
    _renderings(job, transcript)
    _file(job, "waveform", waveform(made.pcm), "application/json", "waveform.json")
    if transcript.segments:
        job.passages(merge.passages(transcript.segments), language=_spoken(transcript))
    if settings.analysis:
        found = analyse(
            transcript,
            job.language_model,
            step=job.step,
            progress=lambda fraction, stage: part.tell(0.1 + 0.9 * fraction, stage),
        )
        _file(job, "analysis", found.model_dump_json().encode(), "application/json", "analysis.json")
    job.result(
        duration=transcript.duration,
        speech=bool(transcript.segments),
        language=transcript.language,
        words=sum(len(segment.words) for segment in transcript.segments),
        model=transcript.model,
    )
    if settings.speakers != "off":  # nobody looked, which is not the same as none
        job.result(speakers=len({segment.speaker for segment in transcript.segments} - {None}))


def _renderings(job: Job, transcript: Transcript) -> None:
    title = job.source.filename.rpartition(".")[0] or job.source.filename
    _file(job, "srt", srt(transcript, {}).encode(), "application/x-subrip", "transcript.srt")
    _file(job, "vtt", vtt(transcript, {}).encode(), "text/vtt", "transcript.vtt")
    _file(job, "txt", txt(transcript, {}).encode(), "text/plain; charset=utf-8", "transcript.txt")
    _file(job, "docx", docx(transcript, {}, title), _DOCX, "transcript.docx")


def _spoken(transcript: Transcript) -> str:
    return "en" if transcript.task == "translate" else transcript.language


def _file(job: Job, kind: str, content: bytes, content_type: str, filename: str) -> None:
    job.artifact(kind, content, content_type=content_type, filename=filename)
