"""English."""

import re

from worker.pipelines.analysis.languages.language import Language


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for suffix, least in (("ings", 4), ("ing", 4), ("ies", 3), ("ied", 3), ("es", 4), ("ed", 4), ("s", 3)):
        if word.endswith(suffix) and len(word) - len(suffix) >= least and not word.endswith("ss"):
            word = word.removesuffix(suffix) + ("y" if suffix in {"ies", "ied"} else "")
            break
    return word.removesuffix("e") if len(word) > 4 else word


_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_MONTH = r"(?:january|february|march|april|may|june|july|august|september|october|november|december)"
_DAYTIME = r"(?:\s+(?:morning|afternoon|evening|night|noon))?"
_SPAN = r"(?:day|week|weekend|month|quarter|year)"
_END = rf"(?:the\s+)?(?:end|beginning|middle)\s+of\s+(?:the\s+|this\s+|next\s+)?(?:{_SPAN}|{_MONTH})"
_NUMBER = r"(?:\d+|a|an|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen|a\s+couple\s+of|a\s+few)"
_ORDINAL = r"(?:\d{1,2}(?:st|nd|rd|th)|first|second|third|(?:twenty[\s-]|thirty[\s-])?\w+th|twenty[\s-]\w+)"
_DATE = rf"(?:{_MONTH}\s+(?:the\s+)?(?:{_ORDINAL}|\d{{1,2}})|(?:the\s+)?{_ORDINAL}(?:\s+of\s+{_MONTH})?)"
_CLOCK = r"(?:\d{1,2}(?::\d\d)?\s*(?:am|pm|a\.m\.|p\.m\.|o'clock)|noon|midnight|lunch(?:time)?)"
_NEAR = (
    rf"(?:(?:next|this|coming)\s+(?:{_SPAN}|{_WEEKDAY}|{_MONTH}|morning|afternoon|evening)"
    rf"|to(?:day|night|morrow){_DAYTIME})"
)
_WHEN = rf"(?:{_END}|{_NEAR}|(?:next\s+)?{_WEEKDAY}{_DAYTIME}|{_CLOCK}|{_DATE}|{_MONTH}|christmas|easter|then)"

_STOP_WORDS = """
a about above actually after again agree agreed all almost already alright also although always am an and another any
anybody anyone anything anyway are aren't around as ask at away back basically be because been before being believe
below better between bit both but by bye call can can't cannot clear come could couldn't couple course day days did
didn't different do does doesn't doing don't done down during each either else enough even ever every everybody
everyone everything exactly far few fine first for friday from further get gets getting give go goes going gonna good
got gotta great guess guys had hadn't half has hasn't have haven't having he he'd he'll he's hear heard hello her here
here's hers hi him his hm hmm hope how how's however hundred i i'd i'll i'm i've idea if in instead into is isn't it
it'd it'll it's its itself just keep kind know last late later least less let let's like little long look looks lot
lots lovely made make makes making many may maybe me mean means might mine minute moment monday month months more
morning most much must my myself need needs never new next nice no nobody nope not nothing now of off oh ok okay old
on once one ones only or other others our ours out over own part people perfect perhaps please point possible pretty
probably put quite rather really right roughly running said same saturday saw say saying says see seem seems set shall
she she'd she'll she's should shouldn't show since so some somebody someone something sometimes soon sorry sort sounds
start still stuff such sunday super sure take takes talk tell than thank thanks that that'd that'll that's the their
theirs them then there there's these they they'd they'll they're they've thing things think this those though thought
thousand three through thursday till time to today together told tomorrow too took true try trying tuesday two uh um
under until up us use used very wait want wants was wasn't way we we'd we'll we're we've wednesday week weeks well
went were weren't what what's when where which while who who's whole why will with within without won't wonder
wonderful work works would wouldn't yeah year years yep yes yesterday yet you you'd you'll you're you've your yours
yourself
"""

_ABBREVIATIONS = "mr. mrs. ms. dr. prof. st. vs. e.g. i.e. etc. no. approx. inc. ltd. u.s. a.m. p.m."

ENGLISH = Language(
    code="en",
    name="English",
    stop_words=frozenset(_STOP_WORDS.split()),
    stem=_stem,
    abbreviations=frozenset(_ABBREVIATIONS.split()),
    commitments=(
        _pattern(
            r"\bI(?:'ll|\s+will|\s+shall|'m\s+going\s+to|\s+am\s+going\s+to|'m\s+gonna|\s+can)\s+"
            r"(?:also\s+|then\s+|just\s+|definitely\s+|probably\s+)*(?P<what>\S.*)"
        ),
        _pattern(r"\b(?:leave|give)\s+(?:it|that)\s+(?:with|to)\s+me\b(?P<what>.*)"),
    ),
    requests=(
        _pattern(
            r"(?:\b(?P<name>(?-i:[A-Z])\w+),?\s+)?\b(?:can|could|will|would)\s+you\s+(?:maybe\s+|also\s+|perhaps\s+)*"
            r"(?:please\s+)?(?P<what>\S.*)"
        ),
        _pattern(r"^(?:(?:so|and|okay|ok|then)[,\s]+)*(?:(?P<name>(?-i:[A-Z])\w+),\s+)?please\s+(?P<what>\S.*)"),
        _pattern(r"\bwould\s+you\s+mind\s+(?P<what>\w+ing\b.*)"),
        _pattern(r"\b(?:don't\s+forget|remember|make\s+sure)\s+(?:to|that\s+you|you)\s+(?P<what>\S.*)"),
    ),
    assignments=(
        _pattern(
            r"\b(?-i:(?P<name>[A-Z][a-z]+))(?:'ll|\s+will|\s+is\s+going\s+to|\s+has\s+to|\s+needs\s+to|\s+should)\s+(?P<what>\S.*)"
        ),
    ),
    appeals=(
        _pattern(
            r"\b(?:somebody|someone|one\s+of\s+(?:us|you))\s+(?:needs\s+to|has\s+to|should|must|will)\s+(?P<what>\S.*)"
        ),
    ),
    duties=(
        _pattern(
            r"\bwe\s+(?:need\s+to|have\s+to|must|should|ought\s+to)\s+(?:also\s+|still\s+|really\s+)*(?P<what>\S.*)"
        ),
        _pattern(r"\blet's\s+(?P<what>\S.*)"),
        _pattern(r"\b(?:action\s+item|to-?do)\s*(?::|is|,)\s*(?:to\s+)?(?P<what>\S.*)"),
    ),
    unreal=_pattern(
        r"(?:\b(?:if|unless|what|whatever|how|which|where|when|whether|than|because|think|hope|wish|say|said|why|do|did|"
        r"that's\s+all|as\s+far\s+as|not\s+sure)\s*|\bif\s+\w+\s+)$"
    ),
    idle=_pattern(
        r"^(?:not|never|be|have\s+been|see|hear|say|think|imagine|believe|understand|remember|admit|bet|guess|hope|tell\s+you|"
        r"tell\s+me|talk|speak|keep\s+it|explain|repeat|start|begin|get\s+(?:started|to|back)|stop|come\s+back|move\s+on|go\s+on|"
        r"continue|go\s+(?:first|with|ahead|over|through|back|for)|wait|look\s+(?:at|forward)|take\s+(?:a\s+look|that|it\s+from)|"
        r"assume|live|miss|like|know|show\s+you|share\s+(?:my|your)|give\s+(?:you|me)|need|want|afford|always|only|hardly|"
        r"have\s+to\s+say|vote|discuss|have\s+(?:a|an|cars?|the|to|it)|leave\s+it\s+(?:at|there)|just\s+say|call\s+it|"
        r"consider|suppose|recogni[sz]e|reali[sz]e|notice|note|keep\s+in\s+mind|distinguish|define|accept|learn|ask\s+ourselves|"
        r"look|watch|read|return\s+to|try\s+to\s+understand|focus|ask\s+you|introduce|use\s+the\s+word|skip|pause|mention|"
        r"jump|recommend|confirm\s+that|agree|also\s+see|do\s+(?:it|that|this)\s+again|face\s+it|elaborate)\b"
    ),
    habit=_pattern(r"\b(?:always|usually|normally|never|in\s+general|every\s+time)\b"),
    referring=_pattern(
        r"^(?:please\s+)?(?:(?:do|take|handle|manage|try|arrange|sort\s+out|look\s+into|take\s+care\s+of|get\s+on|"
        r"work\s+on|ask|send|call|write\s+to)\s+)?(?:that|it|this|them|him|her)?(?:\s+(?:too|then|as\s+well|for\s+you|up|out))*$"
    ),
    accepting=_pattern(
        r"^(?:(?:oh|well|and)[,\s]+)*(?:yes|yeah|yep|sure|of\s+course|ok|okay|no\s+problem|will\s+do|certainly|absolutely|"
        r"happy\s+to|gladly|consider\s+it\s+done|on\s+it|with\s+pleasure|fine)\b"
    ),
    declining=_pattern(
        r"^(?:(?:oh|well|um|uh)[,\s]+)*(?:no\b(?!\s+problem)|sorry|unfortunately|i\s+can't|i\s+won't|not\s+really)"
    ),
    until=_pattern(
        rf"\b(?:(?:by|until|till|before|no\s+later\s+than)\s+{_WHEN}|on\s+(?:{_WEEKDAY}{_DAYTIME}|(?:the\s+)?{_DATE})"
        rf"|(?:first\s+thing\s+)?{_NEAR}|within\s+(?:the\s+next\s+)?{_NUMBER}\s+(?:hours?|days?|weeks?)"
        rf"|in\s+{_NUMBER}\s+(?:hours?|days?|weeks?)|(?:at\s+)?{_END}|as\s+soon\s+as\s+possible|asap|straight\s+away|right\s+after\s+this)\b"
    ),
    clause=_pattern(
        r",?\s+(?:because|since|although|though|so\s+that|otherwise|but|whereas|while|if|and\s+(?:he|she|they|we|you|everybody|"
        r"everyone|that|then)\b)\b|,\s+(?:which|who|so|it|they|we|i|you|okay|right|yes)\b"
    ),
    filler=_pattern(r",?\s*\b(?:please|maybe|thanks|anyway)\b,?"),
    decisions=(
        _pattern(
            r"\bwe(?:'ve|\s+have)?\s+(?:all\s+|now\s+|just\s+|already\s+)*(?:agreed|decided|settled\s+on|resolved|voted)\b(?!\s+with)"
        ),
        _pattern(r"\b(?:it|that|this)(?:'s|\s+is)\s+(?:then\s+|now\s+|all\s+)?(?:decided|settled|agreed|a\s+deal)\b"),
        _pattern(r"\b(?:the|our)\s+decision\s+is\b"),
        _pattern(
            r"\b(?:we'll|we\s+will|we're\s+going\s+to|we\s+are\s+going\s+to|let's|we\s+shall)\s+(?:just\s+)?go\s+(?:with|ahead)\b"
        ),
        _pattern(r"\bwe(?:'re|\s+are)\s+going\s+with\b"),
        _pattern(r"\bthen\s+(?:let's|we'll|we\s+will|we're)\b|\blet's\b[^?]*\bthen\s*[.!]?$"),
        _pattern(r"^(?:so\s+)?agreed\s*[:,]\s*(?:we|so|then)\b"),
        _pattern(r"\bmotion\s+(?:is\s+)?(?:carried|passed|passes)\b"),
    ),
    undecided=_pattern(
        r"(?:\b(?:if|have|had|did|do|once|until|when|before|whether|what|unless|as|after|haven't|thought|should|and\s+see|could)\s*)$"
    ),
    openings=_pattern(
        r"\b(?:next|first|second|third|fourth|last|final|another|other)\s+(?:point|topic|item|subject|question|agenda)\b|"
        r"\b(?:moving|move)\s+on\s+to\b|\blet's\s+(?:turn|talk\s+about|continue\s+with|move\s+on|go\s+on)\b|\bnext\s+up\b|"
        r"\bcan\s+we\s+talk\s+about\b|\b(?:anything|what)\s+else\b|\bon\s+the\s+agenda\b|"
        r"^(?:(?:okay|so|good|right|alright|well|lovely|and)[,.\s]+)*(?:then|now)[,\s]+(?:the|about|for|on\s+to|to\s+the)\b"
    ),
    dangling=_pattern(
        r"^(?:(?:and|but|so|or|because|yeah|yes|no|okay|well|right|also|then|exactly|true)[,\s]+)*"
        r"(?:it|it's|that|that's|this|these|those|he|she|they|there|which|her|his|them|does|is|are|same)\b"
    ),
    cues=_pattern(
        r"\b(?:important|problem|issue|risk|result|goal|main|key|cost|costs|budget|deadline|launch|need|must|decided|agreed|"
        r"because|percent|million|thousand|first\s+point|next\s+point|plan)\b"
    ),
)
