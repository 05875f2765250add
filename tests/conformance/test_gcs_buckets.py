"""Buckets as the real client sees them."""

import pytest
from google.api_core import exceptions
from google.cloud import storage

from tests.conformance.gcs_server import PROJECT, GcsServer

pytest_plugins = ["tests.conformance.gcs_fixtures"]


def test_a_bucket_is_made_found_listed_and_deleted(gcs: GcsServer) -> None:
    """The life of an empty bucket."""
    client = gcs.client()
    bucket = client.create_bucket("life-of-a-bucket", location="europe-west4")

    found = client.get_bucket("life-of-a-bucket")
    assert (found.location, found.storage_class, found.metageneration) == ("EUROPE-WEST4", "STANDARD", 1)
    assert found.time_created is not None
    assert "life-of-a-bucket" in [each.name for each in client.list_buckets(prefix="life-")]

    bucket.delete()
    assert not bucket.exists()


def test_bucket_pages_go_on_where_they_ended(gcs: GcsServer) -> None:
    """A listing of buckets in pages of two shows each once."""
    client = gcs.client()
    names = [f"paged-{number}" for number in range(5)]
    for name in names:
        client.create_bucket(name)

    assert [each.name for each in client.list_buckets(prefix="paged-", page_size=2)] == names


def test_a_taken_name_is_a_conflict(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """Making a bucket twice is refused, as the real service refuses it to the owner."""
    with pytest.raises(exceptions.Conflict):
        gcs.client().create_bucket(bucket.name)


@pytest.mark.parametrize("name", ["UPPER", "x", "-dash", "spa ce"])
def test_a_bad_name_is_refused(gcs: GcsServer, name: str) -> None:
    """Names that the real service does not allow make no bucket."""
    answer = gcs.call("POST", f"/storage/v1/b?project={PROJECT}", f'{{"name": "{name}"}}'.encode())

    assert answer.status == 400


def test_a_bucket_with_objects_is_not_deleted(bucket: storage.Bucket) -> None:
    """Only an empty bucket can go, and a noncurrent version is not nothing."""
    bucket.versioning_enabled = True
    bucket.patch()
    bucket.blob("kept").upload_from_string(b"x")
    bucket.blob("kept").delete()

    with pytest.raises(exceptions.Conflict):
        bucket.delete()


def test_patch_merges_labels_and_raises_the_metageneration(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """A patch changes what it names, and a label set to nothing disappears."""
    bucket.labels = {"one": "1", "two": "2"}
    bucket.patch()
    bucket.versioning_enabled = True
    bucket.labels = {"two": "2"}
    bucket.patch()

    found = gcs.client().get_bucket(bucket.name)
    assert found.labels == {"two": "2"}
    assert found.versioning_enabled
    assert found.metageneration == 3


def test_update_replaces_all_properties(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """What an update does not name is gone."""
    bucket.labels = {"one": "1"}
    bucket.patch()
    bare = gcs.client().bucket(bucket.name)
    bare.storage_class = "NEARLINE"
    bare.update()

    found = gcs.client().get_bucket(bucket.name)
    assert found.labels == {}
    assert found.storage_class == "NEARLINE"


def test_bucket_preconditions_hold(bucket: storage.Bucket) -> None:
    """A patch or delete for another metageneration is refused."""
    bucket.labels = {"a": "b"}
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.patch(if_metageneration_match=7)
    with pytest.raises(exceptions.PreconditionFailed):
        bucket.delete(if_metageneration_not_match=1)
    bucket.patch(if_metageneration_match=1)


def test_a_missing_bucket_is_not_found(gcs: GcsServer) -> None:
    """Whatever is asked of a bucket that is not there."""
    client = gcs.client()
    with pytest.raises(exceptions.NotFound):
        client.get_bucket("no-such-bucket")
    with pytest.raises(exceptions.NotFound):
        list(client.list_blobs("no-such-bucket"))
    with pytest.raises(exceptions.NotFound):
        client.bucket("no-such-bucket").blob("x").upload_from_string(b"x")


def test_notification_configurations_are_kept(bucket: storage.Bucket) -> None:
    """Made, listed, read again and deleted through the client."""
    made = bucket.notification(
        "events",
        topic_project=PROJECT,
        event_types=["OBJECT_FINALIZE"],
        blob_name_prefix="in/",
        custom_attributes={"a": "b"},
        payload_format="JSON_API_V1",
    )
    made.create()

    [found] = bucket.list_notifications()
    assert (found.topic_name, found.topic_project) == ("events", PROJECT)
    assert (found.event_types, found.blob_name_prefix) == (["OBJECT_FINALIZE"], "in/")
    assert found.payload_format == "JSON_API_V1"
    assert bucket.get_notification(made.notification_id).custom_attributes == {"a": "b"}

    made.delete()
    assert list(bucket.list_notifications()) == []
    with pytest.raises(exceptions.NotFound):
        made.delete()


def test_the_project_has_a_service_account(gcs: GcsServer) -> None:
    """Set-up scripts ask for it to grant it the right to publish."""
    assert PROJECT in gcs.client().get_service_account_email()
    assert gcs.client().get_service_account_email().endswith(".iam.gserviceaccount.com")


def test_it_says_when_it_is_ready(gcs: GcsServer) -> None:
    """Both health paths answer 200 to anybody."""
    assert gcs.call("GET", "/").status == 200
    assert gcs.call("GET", "/_spotmill/health").status == 200


def test_unknown_paths_and_methods_are_refused(gcs: GcsServer, bucket: storage.Bucket) -> None:
    """What is not served answers 404 or 405 in the JSON API's form."""
    assert gcs.call("GET", "/storage/v1/nothing").json["error"]["code"] == 404
    assert gcs.call("POST", f"/storage/v1/b/{bucket.name}").json["error"]["code"] == 405
    assert (
        gcs.call("POST", f"/storage/v1/b?project={PROJECT}", b"no json").json["error"]["errors"][0]["reason"]
        == "parseError"
    )


@pytest.mark.parametrize(
    "broken",
    [
        '{"cors": "open"}',
        '{"cors": [{"origin": "*"}]}',
        '{"cors": [{"maxAgeSeconds": "long"}]}',
        '{"labels": []}',
        '{"versioning": true}',
        '{"lifecycle": {"rule": [{"action": {"type": "Explode"}, "condition": {"age": 1}}]}}',
        '{"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {}}]}}',
        '{"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"age": "old"}}]}}',
        '{"lifecycle": {"rule": [{"action": {"type": "Delete"}, "condition": {"colour": "red"}}]}}',
    ],
)
def test_a_broken_configuration_is_refused(gcs: GcsServer, bucket: storage.Bucket, broken: str) -> None:
    """What could not be applied is not stored, neither at first nor later."""
    assert gcs.call("PATCH", f"/storage/v1/b/{bucket.name}", broken.encode()).status == 400
    assert gcs.call("PUT", f"/storage/v1/b/{bucket.name}", broken.encode()).status == 400
    made = broken.replace("{", '{"name": "never-made", ', 1).encode()
    assert gcs.call("POST", f"/storage/v1/b?project={PROJECT}", made).status == 400
    assert bucket.exists()
