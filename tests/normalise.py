"""Words made comparable, after the conventions of Whisper's English normaliser, so that spelling is no error.

Source of the conventions: appendix C of "Robust Speech Recognition via Large-Scale Weak Supervision" (Radford et al.,
2022). Ours is simpler: small letters; contractions written out; hesitations left out; punctuation, also hyphens, made
spaces; numbers read digit by digit, so that ``press 1`` is ``press one``; a few words that are written in two ways,
written in one. The same is done to the reference and to what any engine heard.
"""

import re

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

_CONTRACTIONS = (
    (r"\bwon't\b", "will not"),
    (r"\bcan't\b", "can not"),
    (r"\bcannot\b", "can not"),
    (r"n't\b", " not"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"'ll\b", " will"),
    (r"'d\b", " would"),
    (r"'m\b", " am"),
    (r"\b(it|that|what|there|he|she|here|where|let)'s\b", r"\1 is"),
)

#: Spellings of the same words, after everything else.
_SPELLINGS = (
    (r"\bvoice mail\b", "voicemail"),
    (r"\btouch tone\b", "touchtone"),
    (r"\blog in\b", "login"),
    (r"\bre (record|enter|entered)\b", r"re\1"),
    (r"\bthru\b", "through"),
    (r"\bmister\b", "mr"),
)

_HESITATIONS = re.compile(r"\b(hmm|mm|mhm|mmm|uh|um)\b")

#: Misprints in the texts of asterisk-core-sounds-en; the recordings say it right.
MISPRINTS = (
    ("represenatives", "representatives"),
    ("Un-indentified or witheld", "Unidentified or withheld"),
    ("umute", "unmute"),
)


def normalised(text: str) -> str:
    """Return words in small letters with one space between them."""
    text = text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    text = _HESITATIONS.sub(" ", text)
    for pattern, written in _CONTRACTIONS:
        text = re.sub(pattern, written, text)
    text = re.sub(r"\d", lambda digit: f" {_DIGITS[int(digit[0])]} ", text.replace("'", ""))
    text = re.sub(r"[^a-z]+", " ", text)
    for pattern, written in _SPELLINGS:
        text = re.sub(pattern, written, text)
    return " ".join(text.split())


def corrected(reference: str) -> str:
    """Return a text of the prompts without its misprints."""
    for wrong, right in MISPRINTS:
        reference = reference.replace(wrong, right)
    return reference
