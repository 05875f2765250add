"""What went wrong at a service, in one sentence for people.

The sentence becomes part of what is published, so it never repeats what a service says about a key.
"""

from spotmill.language_model import LanguageModelError

#: Longest part of a service's own words that is repeated, in characters.
WORDS = 200


def refused(service: str, status: int, model: str, words: str | None) -> LanguageModelError:
    """Say why a service answered with an HTTP status that is no success."""
    told = _shortened(words)
    if status in {401, 403}:
        return LanguageModelError(f"{service} did not accept the credentials ({status})")
    if status == 404:
        return LanguageModelError(f"{service} knows no model {model!r} at this address (404)")
    if status == 429:
        return LanguageModelError(f"{service} has no quota left for this (429){told}", retryable=True)
    if status in {408, 409, 425} or status >= 500:
        return LanguageModelError(f"{service} is away ({status}){told}", retryable=True)
    return LanguageModelError(f"{service} refused the question ({status}){told}")


def silent(service: str, seconds: float) -> LanguageModelError:
    """Say that no answer came in time."""
    return LanguageModelError(f"{service} did not answer within {seconds:g} seconds", retryable=True)


def unreachable(service: str, error: BaseException) -> LanguageModelError:
    """Say that there was no connection, or that it broke."""
    return LanguageModelError(f"{service} cannot be reached{_shortened(str(error))}", retryable=True)


def unreadable(service: str, error: BaseException | None = None) -> LanguageModelError:
    """Say that the answer is not what the service's own interface promises."""
    return LanguageModelError(f"{service} answered something unreadable{_shortened(str(error or ''))}")


def declined(service: str, reason: str) -> LanguageModelError:
    """Say that the model would not answer: a refusal, or a filter."""
    return LanguageModelError(f"{service} declined to answer{_shortened(reason)}")


def cut_off(service: str, max_output_tokens: int) -> LanguageModelError:
    """Say that the answer was longer than allowed."""
    return LanguageModelError(f"the answer of {service} was cut off at {max_output_tokens} tokens")


def _shortened(words: str | None) -> str:
    told = " ".join((words or "").split())
    if not told:
        return ""
    return f": {told if len(told) <= WORDS else told[: WORDS - 1] + '…'}"
