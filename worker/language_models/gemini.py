"""Gemini with a JSON Schema for the answer, by the Gemini API (a key) or Vertex AI (the VM's own credentials).

https://aistudio.google.com/docs/structured-output,
https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/control-generated-output
"""

import threading
from collections.abc import Mapping
from typing import Any

import google.auth
import httpx2
from google import genai
from google.auth import exceptions as auth_exceptions
from google.genai import errors, types

from worker.language_models.bounded import bounded_client
from worker.language_models.failures import cut_off, declined, refused, silent, unreachable, unreadable
from worker.language_models.settings import LanguageModelSettings

SERVICES = {"gemini": "Gemini", "vertex": "Vertex AI"}
#: The Gemini API; Vertex AI has an address for each region, which the SDK knows.
ENDPOINT = "https://generativelanguage.googleapis.com/"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
#: Longest wait between two tries, in seconds.
WAIT_SECONDS = 30.0


class Gemini:
    """A Gemini model, by either of its two services."""

    def __init__(self, settings: LanguageModelSettings) -> None:
        self.engine = settings.engine
        self.model = settings.model
        self.window_tokens = settings.window_tokens
        self._settings = settings
        self._service = SERVICES[settings.engine]
        self._credentials: Any = None
        self._lock = threading.Lock()

    def complete(self, system: str, prompt: str, schema: Mapping[str, Any]) -> str:
        """Ask once; see ``spotmill.language_model``."""
        settings = self._settings
        try:
            with bounded_client(settings.timeout_seconds, settings.total_seconds) as http:
                answer = self._client(http).models.generate_content(
                    model=settings.model,
                    contents=prompt,
                    config=types.GenerateContentConfig(
                        system_instruction=system,
                        max_output_tokens=settings.max_output_tokens,
                        response_mime_type="application/json",
                        response_json_schema=dict(schema),
                    ),
                )
            return self._text(answer)
        except errors.APIError as error:
            # The Gemini API answers 400 to a wrong key.
            status = 401 if "API_KEY_INVALID" in str(error.details) else error.code
            raise refused(self._service, status, settings.model, error.message) from error
        except httpx2.TimeoutException as error:
            raise silent(self._service, settings.timeout_seconds) from error
        except httpx2.TransportError as error:
            raise unreachable(self._service, error) from error
        except auth_exceptions.TransportError as error:
            raise unreachable("Google's token service", error) from error
        except auth_exceptions.GoogleAuthError as error:
            raise refused(self._service, 401, settings.model, None) from error
        except (httpx2.HTTPError, errors.UnknownApiResponseError, ValueError) as error:
            raise unreadable(self._service, error) from error

    def _client(self, http: httpx2.Client) -> genai.Client:
        settings = self._settings
        options = types.HttpOptions(
            # Always given for the Gemini API: else the SDK takes an address from the environment.
            base_url=settings.endpoint or (ENDPOINT if settings.engine == "gemini" else _vertex(settings.region or "")),
            timeout=round(settings.timeout_seconds * 1000),
            httpx_client=http,
            retry_options=types.HttpRetryOptions(
                attempts=settings.retries + 1,
                initial_delay=settings.retry_seconds,
                jitter=settings.retry_seconds,
                max_delay=WAIT_SECONDS,
                http_status_codes=[408, 429, 500, 502, 503, 504],
            ),
        )
        if settings.engine == "gemini":
            return genai.Client(enterprise=False, api_key=settings.key, http_options=options)
        with self._lock:
            if self._credentials is None:
                self._credentials, _ = google.auth.default(scopes=[SCOPE])
        return genai.Client(
            enterprise=True,
            credentials=self._credentials,
            project=settings.project,
            location=settings.region,
            http_options=options,
        )

    def _text(self, answer: types.GenerateContentResponse) -> str:
        blocked = answer.prompt_feedback.block_reason if answer.prompt_feedback else None
        if blocked is not None:
            raise declined(self._service, f"prompt blocked ({blocked.value})")
        if not answer.candidates:
            raise unreadable(self._service)
        candidate = answer.candidates[0]
        if candidate.finish_reason is types.FinishReason.MAX_TOKENS:
            raise cut_off(self._service, self._settings.max_output_tokens)
        if candidate.finish_reason is not types.FinishReason.STOP:
            reason = candidate.finish_reason.value if candidate.finish_reason else "no reason given"
            raise declined(self._service, reason)
        parts = (candidate.content.parts if candidate.content else None) or []
        texts = [part.text for part in parts if part.text and not part.thought]
        if not texts:
            raise unreadable(self._service)
        return "".join(texts)


def _vertex(region: str) -> str:
    """Return the address of Vertex AI in a region, in one of the multi-regions ``us`` and ``eu``, or ``global``."""
    if region == "global":
        return "https://aiplatform.googleapis.com/"
    if region in {"us", "eu"}:
        return f"https://aiplatform.{region}.rep.googleapis.com/"
    return f"https://{region}-aiplatform.googleapis.com/"
