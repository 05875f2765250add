"""The hosted model: the agent asks it for a pipeline that has neither network nor key."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import Lab
from tests.language_model_server import LanguageModelServer, serving
from tests.language_model_wire import KEY, MODEL, Reply


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LanguageModelServer]:
    """A server that speaks as the services do."""
    with serving(tmp_path) as started:
        yield started


def _settings(server: LanguageModelServer, **others: object) -> dict[str, object]:
    return {
        "language_model_engine": "openai",
        "language_model": MODEL,
        "language_model_key": KEY,
        "language_model_endpoint": server.endpoint("openai"),
        "language_model_retries": 0,
    } | others


def test_asks(lab: Lab, server: LanguageModelServer) -> None:
    """A pipeline asks, and hears the answer; the key is in nothing that the worker says."""
    server.replies.append(Reply('{"word": "hello"}'))
    job = lab.add("trial-ask")
    machine = lab.start(**_settings(server))
    said = lab.wait_for_status(job, "succeeded").result
    assert said == {"engine": "openai", "model": MODEL, "answers": ['{"word": "hello"}']}
    assert len(server.asked) == 1
    assert KEY not in machine.log_file.read_text()


def test_refused(lab: Lab, server: LanguageModelServer) -> None:
    """What the service refuses, the pipeline hears as an error; the job goes on."""
    server.replies.append(Reply(fault="status", status=503))
    job = lab.add("trial-ask")
    lab.start(**_settings(server))
    answer = lab.wait_for_status(job, "succeeded").result["answers"][0]
    assert answer.startswith("LanguageModelError")
    assert answer.endswith("(True)")


def test_asks_only_so_often(lab: Lab, server: LanguageModelServer) -> None:
    """A pipeline that asks without an end does not run up a bill without an end."""
    server.replies += [Reply('{"word": "hello"}')] * 3
    job = lab.add("trial-ask", times=3)
    lab.start(**_settings(server, language_model_calls=2))
    answers = lab.wait_for_status(job, "succeeded").result["answers"]
    assert answers[:2] == ['{"word": "hello"}'] * 2
    assert "2 times, which is the limit" in answers[2]
    assert len(server.asked) == 2
