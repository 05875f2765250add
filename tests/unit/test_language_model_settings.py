"""Which hosted model is asked, and that none is by default."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from worker.language_models.opening import open_language_model
from worker.language_models.settings import LanguageModelSettings

OPENAI = {"engine": "openai", "model": "a-model", "key": "a-key"}


def test_no_engine_is_no_model() -> None:
    """Nothing leaves the project unless somebody says where to."""
    assert open_language_model(None) is None
    assert open_language_model(LanguageModelSettings()) is None
    assert open_language_model(LanguageModelSettings(engine="extractive", key="a-key")) is None


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"engine": "openai", "key": "a-key"}, "needs the name of a model"),
        ({"engine": "openai", "model": "a-model"}, "needs a key"),
        ({"engine": "vertex", "model": "a-model", "project": "a-project"}, "a project and a region"),
        (
            {"engine": "vertex", "model": "a-model", "project": "p", "region": "r", "key": "k"},
            "own credentials, no key",
        ),
        (OPENAI | {"endpoint": "ftp://example.com"}, "endpoint"),
        (OPENAI | {"window_tokens": 8_000}, "half of the window"),
        (OPENAI | {"timeout_seconds": 3_600}, "timeout_seconds"),
        (OPENAI | {"timeout_seconds": 200}, "must not be above 400"),
        (OPENAI | {"engine": "eliza"}, "engine"),
        (OPENAI | {"temperature": 1}, "temperature"),
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, Any], problem: str) -> None:
    """At the start of the worker, not at the end of a long recording."""
    with pytest.raises(ValidationError, match=problem):
        LanguageModelSettings.model_validate(values)


def test_the_key_is_not_shown() -> None:
    """Settings are logged."""
    assert "a-key" not in repr(LanguageModelSettings.model_validate(OPENAI))


@pytest.mark.parametrize("engine", ["openai", "anthropic", "gemini", "vertex"])
def test_a_model_says_what_it_is(engine: str) -> None:
    """Opening one sends nothing."""
    access = {"project": "a-project", "region": "us-central1"} if engine == "vertex" else {"key": "a-key"}
    model = open_language_model(
        LanguageModelSettings.model_validate({"engine": engine, "model": "a-model", "window_tokens": 64_000, **access})
    )

    assert model is not None
    assert (model.engine, model.model, model.window_tokens) == (engine, "a-model", 64_000)


def test_by_default_nothing_is_opened() -> None:
    """Without an engine there is no model, no SDK is even loaded, and a transcript is analysed without a socket."""
    code = """
import socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("a connection")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from shared.transcript.schema import Segment, Transcript
from worker.language_models.opening import open_language_model
from worker.language_models.settings import LanguageModelSettings
from worker.pipelines.analysis import analyse

assert open_language_model(None) is None
assert open_language_model(LanguageModelSettings()) is None
said = Segment(start=0, end=3, text="We launch the new site on Monday, and everybody is invited.")
found = analyse(Transcript(duration=3, language="en", model="tiny", segments=(said,)), open_language_model(None))
assert found.engine == "extractive" and found.summary, found
sdks = {"openai", "anthropic", "google.genai", "httpx2", "requests", "worker.pipelines.analysis.hosted"}
print(sorted(sdks & set(sys.modules)))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("[]\n", 0), ran.stderr
