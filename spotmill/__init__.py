"""Spotmill's public face: what the author of a pipeline imports.

>>> from spotmill import Job, pipeline
>>> @pipeline("lines", accepts=("text/plain",))
... def lines(job: Job) -> None:
...     job.result(lines=len(job.download().read_text().splitlines()))
"""

from spotmill.pipeline import Job, PermanentError, Pipeline, RetryableError, Source, pipeline

__all__ = ["Job", "PermanentError", "Pipeline", "RetryableError", "Source", "pipeline"]
