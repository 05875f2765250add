"""What all engines need to know of a transcript's words."""

from shared.transcript.schema import Transcript

#: Why a recording without words has no analysis.
NOTHING_SAID = "Nothing was said."


def text_language(transcript: Transcript) -> str:
    """Return the language of the text, which is English if the recording was translated."""
    return "en" if transcript.task == "translate" else transcript.language


def is_worded(transcript: Transcript) -> bool:
    """Tell whether a single word was heard."""
    return any(character.isalnum() for segment in transcript.segments for character in segment.text)
