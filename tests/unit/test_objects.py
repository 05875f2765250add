"""Names of objects: which are accepted, which are ignored, and what a person's file name becomes."""

import uuid
from datetime import UTC, datetime

import pytest

from shared.objects import ObjectName, is_ignored, parse_uri, safe_filename, upload_name


@pytest.mark.parametrize(
    ("uri", "parsed"),
    [
        ("gs://my-bucket/a/b c.jpg", ObjectName("my-bucket", "a/b c.jpg")),
        ("gs://my-bucket/a#12", ObjectName("my-bucket", "a", 12)),
        ("gs://my-bucket/track #12", ObjectName("my-bucket", "track ", 12)),
        ("gs://my-bucket/a#b", ObjectName("my-bucket", "a#b")),
    ],
)
def test_uris_are_read(uri: str, parsed: ObjectName) -> None:
    """A gs:// URI gives bucket, name and perhaps generation."""
    assert parse_uri(uri) == parsed


@pytest.mark.parametrize(
    "uri", ["", "s3://b/o", "gs://", "gs://b/o", "gs://my-bucket", "gs://my-bucket/", "gs://UPPER/o"]
)
def test_wrong_uris_are_refused(uri: str) -> None:
    """What is no object URI is refused with a reason."""
    with pytest.raises(ValueError, match=r"gs://|bucket|object"):
        parse_uri(uri)


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ann\\Ferien 2025.JPG", "Ferien 2025.JPG"),
        ("back\\slash.jpg", "back_slash.jpg"),
        ("Grüße aus 東京.png", "Grüße aus 東京.png"),
        ('a<b>"c"?.jpg', "a_b__c__.jpg"),
        ("\x00\x1f.jpg", "__.jpg"),
        ("...", "file"),
        ("", "file"),
        ("x" * 300 + ".jpeg", "x" * 175 + ".jpeg"),
    ],
)
def test_file_names_become_safe(given: str, safe: str) -> None:
    """No path, control character or reserved sign survives, and people still recognise their file."""
    assert safe_filename(given) == safe


def test_long_names_are_cut_between_characters() -> None:
    """A name of many-byte characters stays valid UTF-8 and within the limit."""
    assert len(safe_filename("写" * 200 + ".jpg").encode()) <= 180


def test_uploads_are_named_by_hour_and_id() -> None:
    """An upload's object name carries the UTC hour, the upload id and the file name."""
    upload = uuid.UUID(int=5)
    named = upload_name("dir/a.jpg", upload, datetime(2025, 12, 3, 15, 59, tzinfo=UTC))
    assert named == f"20251203T15Z/{upload}/a.jpg"


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("a/", True),
        ("a.jpg.part", True),
        ("a.crdownload", True),
        ("a.jpg", False),
        (f"20251203T15Z/{uuid.UUID(int=5)}/a.tmp", False),
    ],
)
def test_what_is_no_upload_is_ignored(name: str, ignored: bool) -> None:
    """Folder markers and unfinished files make no jobs."""
    assert is_ignored(name) is ignored
