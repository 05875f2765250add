"""The analysis that needs nobody: quotes, statistics and rules, on the worker itself.

It understands nothing and says so: the summary is quotes, word for word, and what the rules know no language for is
left out. It is quick enough (a few seconds for three hours) to be done again rather than stored as a step.
"""

from shared.transcript.analysis import Analysis
from shared.transcript.schema import Transcript
from worker.pipelines.analysis.commitments import action_items
from worker.pipelines.analysis.decisions import decisions
from worker.pipelines.analysis.key_sentences import key_sentences
from worker.pipelines.analysis.languages import rules_for
from worker.pipelines.analysis.sentences import sentences
from worker.pipelines.analysis.topics import boundaries, topics
from worker.pipelines.analysis.wording import NOTHING_SAID, is_worded, text_language

NOTE = (
    "The summary quotes the transcript; topics, decisions and action items were found by rules, not by understanding."
)
NO_RULES = (
    "The summary quotes the transcript. There are no rules for this language ({code}), so decisions and action items "
    "were not looked for."
)


def extract(transcript: Transcript) -> Analysis:
    """Analyse a transcript by rules; the same transcript gives the same analysis."""
    code = text_language(transcript)
    if not is_worded(transcript):
        return Analysis(engine="extractive", language=code, missing=NOTHING_SAID)
    language = rules_for(code)
    said = sentences(transcript.segments, language)
    parts = boundaries(said, language)
    return Analysis(
        engine="extractive",
        language=code,
        summary=key_sentences(parts, language),
        topics=topics(parts, language),
        decisions=decisions(said, language) if language else (),
        action_items=action_items(said, language) if language else (),
        note=NOTE if language else NO_RULES.format(code=code),
    )
