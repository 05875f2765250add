"""A hosted language model as a pipeline sees it: a prompt and a schema in, JSON text out."""

from collections.abc import Mapping
from typing import Any, Protocol


class LanguageModelError(Exception):
    """The model gave no answer. The text says why, in one sentence for people.

    ``retryable`` is true for what may pass by itself (no quota left, the service is away); the client has tried again
    already, within its bounds.
    """

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


class LanguageModel(Protocol):
    """A hosted model that the operator has configured."""

    @property
    def engine(self) -> str:
        """Whose service it is: ``gemini``, ``vertex``, ``openai`` or ``anthropic``."""

    @property
    def model(self) -> str:
        """The model, as the service names it."""

    @property
    def window_tokens(self) -> int:
        """Tokens that prompt and answer may have together; the answer takes half of them at most."""

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any]) -> str:
        """Ask once; return the answer, JSON text that the service promises to fit ``schema``.

        ``schema`` is JSON Schema within what all services take: objects list all their properties as required and allow
        no others; what may be missing is ``anyOf`` of something and null; no references, lengths or ranges.

        Raises:
            LanguageModelError: no answer, or one that was refused or cut off.
        """
