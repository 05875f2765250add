"""What a recording was about: summary, topics, decisions and action items, each tied to what was said."""

from worker.pipelines.analysis.analysing import analyse

__all__ = ["analyse"]
