"""From settings to the one model they name."""

from spotmill.language_model import LanguageModel
from worker.language_models.settings import LanguageModelSettings


def open_language_model(settings: LanguageModelSettings | None) -> LanguageModel | None:
    """Return the model to ask, or None if none is configured. Nothing is sent yet.

    Raises:
        ImportError: the extra ``analysis`` is not installed.
    """
    if settings is None or settings.engine == "extractive":
        return None
    if settings.engine == "openai":
        from worker.language_models.openai_chat import OpenAiChat  # noqa: PLC0415 - only the SDK that is asked for

        return OpenAiChat(settings)
    if settings.engine == "anthropic":
        from worker.language_models.anthropic_messages import AnthropicMessages  # noqa: PLC0415 - as above

        return AnthropicMessages(settings)
    from worker.language_models.gemini import Gemini  # noqa: PLC0415 - as above

    return Gemini(settings)
