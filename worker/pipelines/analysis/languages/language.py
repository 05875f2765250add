"""What rules need to know of a language."""

import re
from collections.abc import Callable
from dataclasses import dataclass

Patterns = tuple[re.Pattern[str], ...]


@dataclass(frozen=True, slots=True)
class Language:
    """One language. Patterns are searched in single sentences; groups: ``what`` is to be done, ``name`` by whom."""

    code: str  #: ISO 639-1
    name: str  #: in English
    stop_words: frozenset[str]  #: lower case; they say nothing about what a text is about
    stem: Callable[[str], str]  #: of a lower-case word, roughly
    abbreviations: frozenset[str]  #: with the point; no sentence ends behind them

    commitments: Patterns  #: the speaker is to do ``what``
    requests: Patterns  #: the one who is spoken to is to do ``what``, or ``name`` if there is one
    assignments: Patterns  #: ``name`` is to do ``what``
    appeals: Patterns  #: who volunteers is to do ``what``
    duties: Patterns  #: all of us are to do ``what``, or nobody in particular
    unreal: re.Pattern[str]  #: directly before one of the above, it is no action (a condition, a question, …)
    idle: re.Pattern[str]  #: at the start of ``what``: only talk ("see", "be honest")
    habit: re.Pattern[str]  #: anywhere in the sentence: no action ("always", "never")
    referring: re.Pattern[str]  #: the whole of ``what`` refers to something said before ("do that")
    accepting: re.Pattern[str]  #: at the start of a reply to a request: yes
    declining: re.Pattern[str]  #: the same: no
    until: re.Pattern[str]  #: a time by which something is to be done
    clause: re.Pattern[str]  #: begins a clause that gives reasons; ``what`` ends before it
    filler: re.Pattern[str]  #: politeness inside of ``what``

    decisions: Patterns
    undecided: re.Pattern[str]  #: directly before a decision: it is none

    openings: re.Pattern[str]  #: people say it when they come to another topic
    dangling: re.Pattern[str]  #: a sentence that begins so is hard to understand alone
    cues: re.Pattern[str]  #: a sentence that contains this matters more than others
