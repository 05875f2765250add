"""Lifecycle rules, applied as of a given moment so that no test waits for days."""

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from google.cloud import storage

from tests.conformance.gcs_server import GcsServer

pytest_plugins = ["tests.conformance.gcs_fixtures"]

NAMES = ["in/a.jpg", "in/b.png", "out/c.jpg"]


def later(own_gcs: GcsServer, days: float) -> None:
    """Apply the rules as if so many days had passed."""
    moment = (datetime.now(UTC) + timedelta(days=days)).isoformat()
    assert own_gcs.call("POST", f"/_spotmill/lifecycle?now={quote(moment)}").status == 200


def filled(own_gcs: GcsServer, *, versions: bool = False) -> storage.Bucket:
    bucket = own_gcs.bucket(versioning_enabled=versions)
    for name in NAMES:
        bucket.blob(name).upload_from_string(name)
    return bucket


def names(bucket: storage.Bucket) -> list[str]:
    return [blob.name for blob in bucket.list_blobs(versions=True)]


def test_age_deletes_what_is_old_enough(own_gcs: GcsServer) -> None:
    """Not a day earlier."""
    bucket = filled(own_gcs)
    bucket.add_lifecycle_delete_rule(age=7)
    bucket.patch()

    later(own_gcs, 6.9)
    assert names(bucket) == NAMES
    later(own_gcs, 7.1)
    assert names(bucket) == []


@pytest.mark.parametrize(
    ("condition", "left"),
    [
        ({"matches_prefix": ["in/"]}, ["out/c.jpg"]),
        ({"matches_suffix": [".jpg", ".gif"]}, ["in/b.png"]),
        ({"matches_prefix": ["in/"], "matches_suffix": [".jpg"]}, ["in/b.png", "out/c.jpg"]),
        ({"matches_storage_class": ["NEARLINE"]}, NAMES),
        ({"created_before": datetime.now(UTC).date() + timedelta(days=2)}, []),
        ({"created_before": datetime.now(UTC).date() - timedelta(days=2)}, NAMES),
        ({"is_live": False}, NAMES),
    ],
)
def test_all_parts_of_a_condition_must_hold(own_gcs: GcsServer, condition: dict[str, object], left: list[str]) -> None:
    """Prefixes, suffixes, classes and dates pick what is deleted."""
    bucket = filled(own_gcs)
    bucket.add_lifecycle_delete_rule(**{"age": 1, **condition})
    bucket.patch()

    later(own_gcs, 1.5)
    assert names(bucket) == left


def test_noncurrent_versions_go_by_their_number(own_gcs: GcsServer) -> None:
    """With two newer versions around, the oldest is superfluous."""
    bucket = filled(own_gcs, versions=True)
    for _ in range(3):
        bucket.blob("in/a.jpg").upload_from_string(b"again")
    bucket.add_lifecycle_delete_rule(number_of_newer_versions=2)
    bucket.patch()

    later(own_gcs, 0)
    assert names(bucket) == ["in/a.jpg", "in/a.jpg", "in/b.png", "out/c.jpg"]


def test_a_live_version_is_archived_before_it_is_gone(own_gcs: GcsServer) -> None:
    """In a bucket that keeps versions the rule acts as a delete does; days since noncurrent remove the rest."""
    bucket = filled(own_gcs, versions=True)
    bucket.add_lifecycle_delete_rule(age=1, is_live=True)
    bucket.add_lifecycle_delete_rule(days_since_noncurrent_time=3)
    bucket.patch()

    later(own_gcs, 1.5)
    assert list(bucket.list_blobs()) == []
    assert names(bucket) == NAMES
    later(own_gcs, 3.1)
    assert names(bucket) == []


def test_a_rule_may_change_the_storage_class(own_gcs: GcsServer) -> None:
    """Once, as metadata, and custom time can set it off."""
    bucket = filled(own_gcs)
    blob = bucket.blob("in/a.jpg")
    blob.custom_time = datetime.now(UTC) - timedelta(days=30)
    blob.patch()
    bucket.add_lifecycle_set_storage_class_rule("COLDLINE", days_since_custom_time=30)
    bucket.patch()

    later(own_gcs, 0)
    later(own_gcs, 0)
    found = bucket.get_blob("in/a.jpg")
    assert (found.storage_class, found.metageneration) == ("COLDLINE", 3)
    assert bucket.get_blob("in/b.png").storage_class == "STANDARD"


def test_a_moment_that_is_none_is_refused(gcs: GcsServer) -> None:
    """400 for what is no RFC 3339 time."""
    assert gcs.call("POST", "/_spotmill/lifecycle?now=tomorrow").status == 400
    assert gcs.call("POST", "/_spotmill/lifecycle?now=2026-01-01T00:00:00").status == 400
