"""The triggers, the schemas of our messages and the sample events agree with each other."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker, ValidationError

from eventarc.contract import read_sample, read_schema, sample_names, schema_names
from eventarc.triggers import DELETED, FINALIZED, PUBLISHED, StorageTrigger, TopicTrigger, read_triggers

NAMES = {
    "upload_bucket": "example-uploads",
    "ingest_topic": "spotmill-ingest",
    "tick_topic": "spotmill-tick",
    "budget_topic": "spotmill-budget",
    "dead_letter_topic": "spotmill-jobs-dead",
}

MESSAGES = [
    ("pubsub-ingest", "ingest"),
    ("pubsub-tick", "tick"),
    ("pubsub-reconcile", "tick"),
    ("pubsub-budget", "budget"),
    ("pubsub-dead-letter", "job"),
]

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("job", {}),
    ("job", {"job_id": "seven"}),
    ("job", {"job_id": "6f6e0f6a-3c1c-4d0b-8f0c-1a2b3c4d5e6f", "attempt": 1}),
    ("ingest", {"generation": 3}),
    ("ingest", {"uri": "https://example.com/a.jpg"}),
    ("ingest", {"uri": "gs://bucket"}),
    ("ingest", {"uri": "gs://bucket/a", "generation": 0}),
    ("ingest", {"uri": "gs://bucket/a", "generation": "-1"}),
    ("ingest", {"uri": "gs://bucket/a", "settings": []}),
    ("tick", {"task": "dance"}),
    ("budget", {"costAmount": 3}),
]


def test_every_event_of_the_design_has_a_trigger() -> None:
    """The dispatcher hears of finished and deleted uploads and of the four topics."""
    triggers = read_triggers(NAMES)
    assert {(t.event_type, t.filters.bucket if isinstance(t, StorageTrigger) else t.topic) for t in triggers} == {
        (FINALIZED, "example-uploads"),
        (DELETED, "example-uploads"),
        (PUBLISHED, "spotmill-ingest"),
        (PUBLISHED, "spotmill-tick"),
        (PUBLISHED, "spotmill-budget"),
        (PUBLISHED, "spotmill-jobs-dead"),
    }


def test_a_trigger_of_storage_knows_the_notification_it_travels_in() -> None:
    """Event types map to the words of Cloud Storage's own notifications."""
    found = {t.event_type: t.notification_event for t in read_triggers(NAMES) if isinstance(t, StorageTrigger)}
    assert found == {FINALIZED: "OBJECT_FINALIZE", DELETED: "OBJECT_DELETE"}


def test_a_name_that_is_missing_is_named() -> None:
    """A placeholder that nobody fills is an error that says which."""
    with pytest.raises(KeyError, match="tick_topic"):
        read_triggers({name: value for name, value in NAMES.items() if name != "tick_topic"})


def test_a_name_cannot_change_the_structure() -> None:
    """A value with YAML's own characters in it stays one value."""
    triggers = read_triggers(NAMES | {"ingest_topic": "a: [b]\n- c"})
    assert "a: [b]\n- c" in [t.topic for t in triggers if isinstance(t, TopicTrigger)]


def test_two_triggers_of_one_name_are_refused(tmp_path: Path) -> None:
    """Two triggers of one name would share a subscription and steal each other's events."""
    one = f"- {{name: one, description: x, event_type: {PUBLISHED}, topic: topic, path: /}}\n"
    (tmp_path / "triggers.yaml").write_text(one * 2)
    with pytest.raises(ValueError, match="one"):
        read_triggers({}, tmp_path / "triggers.yaml")


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_one(name: str) -> None:
    """Each schema is itself valid JSON Schema."""
    Draft202012Validator.check_schema(read_schema(name))


def _check(schema: str, message: object) -> None:
    Draft202012Validator(read_schema(schema), format_checker=FormatChecker()).validate(message)


@pytest.mark.parametrize(("sample", "schema"), MESSAGES)
def test_a_sample_fits_its_schema(sample: str, schema: str) -> None:
    """What the samples carry is what the schemas describe."""
    _check(schema, json.loads(base64.b64decode(read_sample(sample).body["message"]["data"])))


def test_a_job_message_fits_its_schema() -> None:
    """The one message we publish for workers is accepted."""
    _check("job", {"job_id": "6f6e0f6a-3c1c-4d0b-8f0c-1a2b3c4d5e6f"})


@pytest.mark.parametrize(("schema", "message"), REFUSED)
def test_a_wrong_message_is_refused(schema: str, message: dict[str, Any]) -> None:
    """The schemas refuse what the handlers could not use."""
    with pytest.raises(ValidationError):
        _check(schema, message)


@pytest.mark.parametrize("name", sample_names())
def test_a_sample_is_an_event_that_some_trigger_sends(name: str) -> None:
    """Every sample could have come through one of our triggers."""
    sample = read_sample(name)
    sources = {
        (
            t.event_type,
            f"//storage.googleapis.com/projects/_/buckets/{t.filters.bucket}"
            if isinstance(t, StorageTrigger)
            else f"//pubsub.googleapis.com/projects/example-project/topics/{t.topic}",
        )
        for t in read_triggers(NAMES)
    }
    assert (sample.headers["ce-type"], sample.headers["ce-source"]) in sources
    assert sample.headers["ce-specversion"] == "1.0"
    if "ce-subject" in sample.headers:
        assert sample.headers["ce-subject"] == f"objects/{sample.body['name']}"
