"""Anthropic's Messages with structured outputs.

https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from collections.abc import Mapping
from typing import Any

import anthropic
import httpx2

from worker.language_models.bounded import bounded_client
from worker.language_models.failures import cut_off, declined, refused, silent, unreachable, unreadable
from worker.language_models.settings import LanguageModelSettings

SERVICE = "Anthropic"
ENDPOINT = "https://api.anthropic.com"


class AnthropicMessages:
    """A model of Anthropic."""

    engine = "anthropic"

    def __init__(self, settings: LanguageModelSettings) -> None:
        self.model = settings.model
        self.window_tokens = settings.window_tokens
        self._settings = settings

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any]) -> str:
        """Ask once; see ``spotmill.language_model``."""
        settings = self._settings
        try:
            with bounded_client(settings.timeout_seconds, settings.total_seconds) as http:
                # The address is always given: else the SDK takes one from the environment. Spans may carry text.
                client = anthropic.Anthropic(
                    api_key=settings.key,
                    base_url=settings.endpoint or ENDPOINT,
                    max_retries=settings.retries,
                    timeout=settings.timeout_seconds,
                    open_telemetry=False,
                    http_client=http,
                )
                answer = client.messages.create(
                    model=settings.model,
                    max_tokens=settings.max_output_tokens,
                    system=system,
                    messages=[{"role": "user", "content": prompt}],
                    output_config={"format": {"type": "json_schema", "schema": dict(schema)}},
                )
            return _text(answer, settings.max_output_tokens)
        except anthropic.APITimeoutError as error:
            raise silent(SERVICE, settings.timeout_seconds) from error
        except anthropic.APIConnectionError as error:
            raise unreachable(SERVICE, error.__cause__ or error) from error
        except anthropic.APIStatusError as error:
            raise refused(SERVICE, error.status_code, settings.model, error.api_message) from error
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError) as error:
            raise unreadable(SERVICE, error) from error


def _text(answer: anthropic.types.Message, max_output_tokens: int) -> str:
    """Join the text of the answer. The SDK checks no types, so neither are they taken for granted here."""
    reason = getattr(answer, "stop_reason", None)
    if reason == "refusal":
        raise declined(SERVICE, "refusal")
    if reason in {"max_tokens", "model_context_window_exceeded"}:
        raise cut_off(SERVICE, max_output_tokens)
    blocks = getattr(answer, "content", None)
    texts = [block.text for block in blocks if block.type == "text"] if isinstance(blocks, list) else []
    if not texts:
        raise unreadable(SERVICE)
    return "".join(texts)
