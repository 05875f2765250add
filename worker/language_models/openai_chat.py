"""OpenAI's Chat Completions with structured outputs, which compatible servers (vLLM, Ollama, …) speak as well.

https://developers.openai.com/api/docs/guides/structured-outputs
"""

from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from spotmill.language_model import LanguageModelError
from worker.language_models.bounded import bounded_client
from worker.language_models.failures import cut_off, declined, refused, silent, unreachable, unreadable
from worker.language_models.settings import LanguageModelSettings

SERVICE = "OpenAI"
ENDPOINT = "https://api.openai.com/v1"


class OpenAiChat:
    """A model of OpenAI, or of a server that speaks as OpenAI does."""

    engine = "openai"

    def __init__(self, settings: LanguageModelSettings) -> None:
        self.model = settings.model
        self.window_tokens = settings.window_tokens
        self._settings = settings

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any]) -> str:
        """Ask once; see ``spotmill.language_model``."""
        settings = self._settings
        try:
            with bounded_client(settings.timeout_seconds, settings.total_seconds) as http:
                # The address is always given: else the SDK takes one from the environment.
                client = openai.OpenAI(
                    api_key=settings.key,
                    base_url=settings.endpoint or ENDPOINT,
                    max_retries=settings.retries,
                    timeout=settings.timeout_seconds,
                    http_client=http,
                )
                answer = client.chat.completions.create(
                    model=settings.model,
                    max_completion_tokens=settings.max_output_tokens,
                    messages=[{"role": "system", "content": system}, {"role": "user", "content": prompt}],
                    response_format={
                        "type": "json_schema",
                        "json_schema": {"name": "answer", "schema": dict(schema), "strict": True},
                    },
                    store=False,
                )
            return _text(answer, settings.max_output_tokens)
        except openai.APITimeoutError as error:
            raise silent(SERVICE, settings.timeout_seconds) from error
        except openai.APIConnectionError as error:
            raise unreachable(SERVICE, error.__cause__ or error) from error
        except openai.APIStatusError as error:
            raise _status(error, settings.model) from error
        except (openai.OpenAIError, httpx2.HTTPError, ValueError) as error:
            raise unreadable(SERVICE, error) from error


def _text(answer: openai.types.chat.ChatCompletion, max_output_tokens: int) -> str:
    """Take the text out of the first choice. The SDK checks no types, so neither is it taken for granted here."""
    choices = getattr(answer, "choices", None)
    if not choices or getattr(choices[0], "message", None) is None:
        raise unreadable(SERVICE)
    choice = choices[0]
    if choice.message.refusal:
        raise declined(SERVICE, choice.message.refusal)
    if choice.finish_reason == "content_filter":
        raise declined(SERVICE, "content filter")
    if choice.finish_reason == "length":
        raise cut_off(SERVICE, max_output_tokens)
    if not isinstance(choice.message.content, str):
        raise unreadable(SERVICE)
    return choice.message.content


def _status(error: openai.APIStatusError, model: str) -> LanguageModelError:
    words = error.body.get("message") if isinstance(error.body, dict) else None
    found = refused(SERVICE, error.status_code, model, words if isinstance(words, str) else None)
    if error.code == "insufficient_quota":  # no credit: it does not come back by waiting
        found.retryable = False
    return found
