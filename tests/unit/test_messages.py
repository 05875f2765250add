"""Messages are read strictly and refused with a reason."""

import base64
import json
import uuid

import jsonschema
import pytest

from eventarc.contract import read_sample, read_schema
from shared.messages import IngestMessage, JobMessage, MalformedError, StorageObject, Tick


def test_a_job_message_comes_back_as_it_went_and_fits_its_schema() -> None:
    """Encoding and reading are inverse, and the contract's schema agrees."""
    message = JobMessage(job_id=uuid.uuid4())
    assert JobMessage.parse(message.encode()) == message
    jsonschema.validate(json.loads(message.encode()), read_schema("job"))


def test_the_samples_of_google_are_understood() -> None:
    """A finalized event and a notification give bucket, name, generation, size, owner and pipeline."""
    for body in (
        read_sample("storage-finalized").body,
        json.loads(base64.b64decode(read_sample("pubsub-storage-notification").body["message"]["data"])),
    ):
        found = StorageObject.parse(body)
        assert found.bucket == body["bucket"]
        assert str(found.generation) == body["generation"]
        assert str(found.size_bytes) == body["size"]
    found = StorageObject.parse(read_sample("storage-finalized").body)
    assert (found.owner, found.pipeline) == ("ann@example.com", "image")


def test_the_sample_tick_and_ingest_message_are_understood() -> None:
    """What the scheduler and other systems publish is read."""
    data = read_sample("pubsub-tick").body["message"]["data"]
    assert Tick.parse(base64.b64decode(data)).task == "tick"
    data = read_sample("pubsub-ingest").body["message"]["data"]
    assert IngestMessage.parse(base64.b64decode(data)).named[0].startswith("gs://")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "JSON"),
        (b"[]", "object"),
        (b'{"uri": "http://x/y"}', "gs://"),
        (b'{"uri": "gs://bucket/o", "generation": 0}', "generation"),
        (b'{"uri": "gs://bucket/o", "surprise": 1}', "surprise"),
        (b"{}", "either uri or uris"),
        (b'{"uris": []}', "either uri or uris"),
        (b'{"uri": "gs://bucket/o", "uris": ["gs://bucket/p"]}', "either uri or uris"),
        (b'{"uris": ["gs://bucket/o"], "generation": 1}', "generation goes with uri"),
    ],
)
def test_malformed_ingest_messages_say_why(data: bytes, reason: str) -> None:
    """The reason names the field or the mistake."""
    with pytest.raises(MalformedError, match=reason):
        IngestMessage.parse(data)


def test_a_batch_keeps_its_wrong_uris() -> None:
    """They are refused one by one, later: the others of the batch are wanted."""
    message = IngestMessage.parse(b'{"uris": ["gs://bucket/o#7", "nonsense"], "pipeline": "image"}')
    assert message.named == ("gs://bucket/o#7", "nonsense")
    jsonschema.validate({"uris": list(message.named), "pipeline": "image"}, read_schema("ingest"))


def test_settings_of_an_upload_must_be_an_object() -> None:
    """Settings in the metadata that are no JSON object are refused."""
    good = {"bucket": "bkt", "name": "n", "generation": "1", "size": "2"}
    assert StorageObject.parse(good | {"metadata": {"settings": '{"quality": 3}'}}).settings == {"quality": 3}
    with pytest.raises(MalformedError, match="settings"):
        _ = StorageObject.parse(good | {"metadata": {"settings": "[1]"}}).settings
