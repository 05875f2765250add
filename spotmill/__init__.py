"""Spotmill's public face: what the author of a pipeline imports.

>>> from spotmill import Job, pipeline
>>> @pipeline("lines", accepts=("text/plain",))
... def lines(job: Job) -> None:
...     job.result(lines=len(job.download().read_text().splitlines()))
"""

from spotmill.language_model import LanguageModel, LanguageModelError
from spotmill.pipeline import (
    Job,
    Model,
    ModelError,
    Passage,
    PermanentError,
    Pipeline,
    RetryableError,
    Source,
    pipeline,
)

__all__ = [
    "Job",
    "LanguageModel",
    "LanguageModelError",
    "Model",
    "ModelError",
    "Passage",
    "PermanentError",
    "Pipeline",
    "RetryableError",
    "Source",
    "pipeline",
]
