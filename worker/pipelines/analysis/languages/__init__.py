"""The languages that rules know; a new one is one file like ``english.py`` and one line here."""

from worker.pipelines.analysis.languages.english import ENGLISH
from worker.pipelines.analysis.languages.german import GERMAN
from worker.pipelines.analysis.languages.language import Language

_LANGUAGES = {language.code: language for language in (ENGLISH, GERMAN)}


def rules_for(code: str) -> Language | None:
    """Return the rules for a language by its ISO 639-1 code, None if nobody has written them."""
    return _LANGUAGES.get(code.partition("-")[0].lower())
