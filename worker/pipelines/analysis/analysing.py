"""The one way in: a transcript becomes an analysis, by a hosted model if there is one, else by rules."""

from collections.abc import Callable
from typing import Any, Protocol

from shared.transcript.analysis import Analysis
from shared.transcript.schema import Transcript
from spotmill.language_model import LanguageModel, LanguageModelError
from worker.pipelines.analysis.wording import NOTHING_SAID, is_worded, text_language


class Step(Protocol):
    """``Job.step``: run a function once in the life of a job."""

    def __call__(self, key: str, fn: Callable[..., Any], /, *args: Any) -> Any: ...


def _at_once(_key: str, fn: Callable[..., Any], /, *args: Any) -> Any:
    return fn(*args)


def _silently(_fraction: float, _stage: str = "") -> None:
    """Tell nobody."""


def analyse(
    transcript: Transcript,
    language_model: LanguageModel | None,
    *,
    step: Step = _at_once,
    progress: Callable[[float, str], None] = _silently,
) -> Analysis:
    """Say what a recording was about, and where in the transcript that is said.

    A hosted model's failure is no failure of the job: the analysis then says in ``missing`` why there is none. Each
    question to it is one step, stored only when it was answered well.
    """
    if language_model is None:
        from worker.pipelines.analysis.extractive import extract  # noqa: PLC0415 - children start without scikit-learn

        return extract(transcript)
    engine, model, language = language_model.engine, language_model.model, text_language(transcript)
    if not is_worded(transcript):
        return Analysis(engine=engine, model=model, language=language, missing=NOTHING_SAID)
    from worker.pipelines.analysis.hosted import ask  # noqa: PLC0415 - few jobs ask

    try:
        return ask(transcript, language_model, step, progress)
    except LanguageModelError as error:
        why = f"{engine} ({model}) gave no analysis: {str(error).rstrip('.')}."
        return Analysis(engine=engine, model=model, language=language, missing=why)
